// The vDSO of another kernel: finding functions in hostile images, and what becomes of a task's mappings.
#include <sys/mman.h>

#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "engine/memory/vdso_symbols.h"
#include "engine/memory/vma.h"
#include "engine/restore/foreign_vdso.h"

using namespace nsr;

namespace {

std::vector<std::byte> own_code() {
  auto host = HostVdso::of_this_process();
  return {host.code.begin(), host.code.end()};
}

ImageTask task_with(uint64_t base, std::initializer_list<std::pair<uint64_t, uint32_t>> parts) {
  ImageTask t;
  t.pid = NsPid(7);
  for (auto [bytes, status] : parts) {
    auto& v = *t.mm.add_vmas();
    v.set_start(base);
    v.set_end(base += bytes);
    v.set_pgoff(0);
    v.set_shmid(0);
    v.set_prot(PROT_READ);
    v.set_flags(MAP_PRIVATE | MAP_ANONYMOUS);
    v.set_status(kVmaRegular | kVmaAnonPrivate | status);
    v.set_fd(-1);
  }
  return t;
}

}  // namespace

TEST_CASE("vdso: its functions are found, and no damage of the image is followed") {
  auto code = own_code();
  REQUIRE_FALSE(code.empty());
  auto all = vdso_functions(code);
  CHECK(all.count("__vdso_clock_gettime") == 1);
  CHECK(all["__vdso_clock_gettime"].size > 0);
  CHECK(vdso_functions({}).empty());
  CHECK(vdso_functions({code.data(), 100}).empty());
  for (size_t at = 0; at < code.size(); at += 7) {  // must only not crash
    auto bad = code;
    bad[at] ^= std::byte{0xff};
    for (const auto& [name, f] : vdso_functions(bad)) CHECK(f.offset + f.size <= bad.size());
  }
}

TEST_CASE("vdso: the same kernel changes nothing, another one makes functions jump") {
  auto host = HostVdso::of_this_process();
  auto code = own_code();
  auto read = [&](uint64_t, std::span<std::byte> to) {
    std::copy(code.begin(), code.end(), to.begin());
    return to.size() == code.size();
  };
  ImageTask same;
  same.pid = NsPid(7);
  for (const auto& part : host.parts) {
    auto one = task_with(0x7f0000000000 + (part.start - host.parts[0].start),
                         {{part.end - part.start, part.code ? kVmaVdso : kVmaVvar}});
    *same.mm.add_vmas() = one.mm.vmas(0);
  }
  CHECK_FALSE(adapt_vdso(same, host, read));
  CHECK(same.patches.empty());

  ImageTask other = task_with(0x7f0000000000, {{0x3000, kVmaVvar}, {code.size(), kVmaVdso}});
  REQUIRE(adapt_vdso(other, host, read));
  CHECK_FALSE(other.patches.empty());
  uint64_t last = 0;
  size_t kernel_parts = 0;
  for (const auto& v : other.mm.vmas()) {
    CHECK(v.start() >= last);
    last = v.end();
    kernel_parts += (v.status() & (kVmaVdso | kVmaVvar)) != 0;
  }
  CHECK(kernel_parts == host.parts.size());
  for (const auto& p : other.patches)
    CHECK((p.at >= 0x7f0000003000 && p.at + p.bytes.size() <= 0x7f0000003000 + code.size()));

  ImageTask blind = task_with(0x7f0000000000, {{0x3000, kVmaVvar}, {code.size(), kVmaVdso}});
  CHECK_THROWS_AS(adapt_vdso(blind, host, [](uint64_t, std::span<std::byte>) { return false; }), Error);
}
