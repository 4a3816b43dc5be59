// Features of made-up CPUs: what is recorded, and what a lesser one is told to lack.
#include "arch/cpu.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "cpuinfo.pb.h"
#include "engine/base/error.h"
#include "engine/base/run_options.h"
#include "nsr-cpu.pb.h"

using namespace nsr;

namespace {

struct Fake {
  uint32_t leaf1_eax = 0x000906a3, leaf1_ecx = 1u << 28 | 1u << 25, leaf7_ebx = 1u << 5 | 1u << 16;
  uint32_t states = 0xe7, size = 2696, first_offset = 576;
  std::array<uint32_t, 4> operator()(uint32_t leaf, uint32_t subleaf) const {
    std::array<uint32_t, 4> r{};
    if (leaf == 0) {
      std::memcpy(&r[1], "Genu", 4);
      std::memcpy(&r[3], "ineI", 4);
      std::memcpy(&r[2], "ntel", 4);
    }
    if (leaf == 1) r = {leaf1_eax, 0, leaf1_ecx, 1u << 26};
    if (leaf == 7 && subleaf == 0) r[1] = leaf7_ebx;
    if (leaf == 0xd && subleaf == 0) r = {states, size, 11008, 0};
    if (leaf == 0xd && subleaf > 1 && (states >> subleaf & 1)) r = {64, first_offset + 64 * subleaf, 0, 0};
    return r;
  }
};

}  // namespace

TEST_CASE("cpu: identity and features go into the image") {
  pb::cpuinfo_entry e;
  arch::cpu_to_image(Fake(), e);
  REQUIRE(e.x86_entry_size() == 1);
  CHECK(e.x86_entry(0).vendor_id() == pb::cpuinfo_x86_entry::INTEL);
  CHECK(e.x86_entry(0).cpu_family() == 6);
  CHECK(e.x86_entry(0).model() == 0x9a);
  CHECK(e.x86_entry(0).stepping() == 3);
  CHECK(e.x86_entry(0).capability(9) == (1u << 5 | 1u << 16));
  CHECK(e.x86_entry(0).xfeatures_mask() == 0xe7);
}

TEST_CASE("cpu: a lesser one is told what it lacks, a better one is welcome") {
  pb::cpuinfo_entry e;
  Fake there, here;
  arch::cpu_to_image(there, e);
  CHECK(arch::cpu_lacks(e, here, CpuCap::all).empty());
  here.leaf7_ebx = 1u << 5;
  CHECK(arch::cpu_lacks(e, here, CpuCap::ins) == std::vector<std::string>{"instructions avx512f"});
  CHECK(arch::cpu_lacks(e, here, CpuCap::fpu).empty());
  CHECK(arch::cpu_lacks(e, here, CpuCap::none).empty());
  here = Fake();
  here.states = 7;
  here.size = 832;
  CHECK(arch::cpu_lacks(e, here, CpuCap::fpu).size() == 3);
  CHECK(arch::cpu_lacks(e, here, CpuCap::fpu)[0] == "register state AVX-512 opmask");
  here = Fake();
  here.leaf7_ebx |= 1u << 29;
  here.leaf1_ecx |= 1u << 29;
  CHECK(arch::cpu_lacks(e, here, CpuCap::ins | CpuCap::fpu).empty());
  CHECK_FALSE(arch::cpu_lacks(e, here, CpuCap::cpu).empty());
  CHECK_THROWS_AS(arch::cpu_lacks(pb::cpuinfo_entry(), here, CpuCap::ins), Error);
}

TEST_CASE("cpu: a register state in use must lie where it lay") {
  pb::nsr_cpu_entry e;
  Fake there, here;
  arch::cpu_to_record(there, e);
  CHECK(e.component_size() == 4);  // 2, 5, 6, 7
  CHECK(arch::cpu_lacks(e, here, CpuCap::all).empty());
  here.first_offset = 1088;
  CHECK(arch::cpu_lacks(e, here, CpuCap::fpu).empty());
  e.set_used(1 << 2 | 3);
  CHECK(arch::cpu_lacks(e, here, CpuCap::fpu) ==
        std::vector<std::string>{"register state 2 at offset 704 of the XSAVE area (1216 here)"});
  CHECK(arch::cpu_lacks(e, here, CpuCap::ins).empty());
}
