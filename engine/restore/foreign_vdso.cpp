#include "engine/restore/foreign_vdso.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/memory/own_vdso.h"
#include "engine/memory/vdso_symbols.h"
#include "engine/memory/vma_status.h"

namespace nsr {
namespace {

const Logger log("vdso");
constexpr uint64_t kPage = 4096, kTaskSize = 0x7ffffffff000;

/// Whether the parts lie in the same order and distances as the host's.
bool same_layout(const std::vector<const pb::vma_entry*>& image, const HostVdso& host) {
  if (image.size() != host.parts.size()) return false;
  for (size_t i = 0; i < image.size(); i++) {
    const auto& part = host.parts[i];
    if (image[i]->end() - image[i]->start() != part.end - part.start ||
        ((image[i]->status() & kVmaVdso) != 0) != part.code ||
        image[i]->start() - image[0]->start() != part.start - host.parts[0].start)
      return false;
  }
  return true;
}

/// Middle of the widest gap: neither heap nor stack nor the next mmap() come there soon.
uint64_t place_for(const pb::mm_entry& mm, uint64_t bytes) {
  uint64_t best = 0, width = 0, last = 0x10000;
  auto gap = [&](uint64_t start, uint64_t end) {
    if (end > start && end - start > width) {
      width = end - start;
      best = start + (end - start) / 2;
    }
  };
  for (const auto& v : mm.vmas()) {
    if (v.start() >= kTaskSize) continue;  // vsyscall
    gap(last, v.start());
    last = std::max(last, v.end());
  }
  gap(last, kTaskSize);
  if (width < 4 * bytes)
    throw Error(Failure::environment, "vDSO", "there is no room for this kernel's vDSO in the task");
  return best & ~(kPage - 1);
}

bool runs_in(const ImageTask& t, uint64_t start, uint64_t end) {
  for (const ImageThread& th : t.threads) {
    uint64_t ip = th.core.thread_info().gpregs().ip();
    if (ip > start && ip < end) return true;
  }
  return false;
}

void patch_functions(ImageTask& t, uint64_t old_base, std::span<const std::byte> old_code, uint64_t new_base,
                     const HostVdso& host) {
  auto had = vdso_functions(old_code), has = vdso_functions(host.code);
  if (had.empty() || has.empty())
    throw Error(Failure::environment, t.object(), "the functions of its vDSO or of this kernel's cannot be found",
                "restore on the kernel it was dumped on");
  std::map<uint64_t, std::pair<std::string, VdsoFunction>> by_offset;  // several names can be one function
  for (const auto& [name, f] : had) by_offset.emplace(f.offset, std::pair(name, f));
  for (auto it = by_offset.begin(); it != by_offset.end(); ++it) {
    const auto& [name, f] = it->second;
    auto target = has.find(name);
    uint64_t room = std::next(it) == by_offset.end() ? old_code.size() - f.offset : std::next(it)->first - f.offset;
    auto jump = arch::jump_to(RemoteAddr(target == has.end() ? 0 : new_base + target->second.offset));
    uint64_t at = old_base + f.offset;
    // unpatched, it runs on and asks the kernel: right, only slower
    if (target == has.end() || f.size < jump.size() || room < jump.size() || runs_in(t, at, at + jump.size())) {
      log.warn("%s: %s of its vDSO is not connected to this kernel's", t.object().c_str(), name.c_str());
      continue;
    }
    t.patches.push_back({at, std::string(reinterpret_cast<const char*>(jump.data()), jump.size())});
  }
}

/// A mapping like `like`, in order; the extra description of mappings runs parallel.
void insert_vma(ImageTask& t, const pb::vma_entry& vma) {
  auto* list = t.mm.mutable_vmas();
  int at = 0;
  while (at < list->size() && list->Get(at).start() < vma.start()) at++;
  *list->Add() = vma;
  for (int i = list->size() - 1; i > at; i--) list->SwapElements(i, i - 1);
  auto* ext = t.mm_ext.mutable_vmas();
  if (ext->size() <= at) return;
  ext->Add();
  for (int i = ext->size() - 1; i > at; i--) ext->SwapElements(i, i - 1);
}

}  // namespace

HostVdso HostVdso::of_this_process() {
  HostVdso host;
  for (const auto& m : own_vdso()) {
    bool code = procfs::naming(m) == procfs::VmaNaming::vdso;
    host.parts.push_back({m.start, m.end, code});
    if (code) host.code = {reinterpret_cast<const std::byte*>(m.start), m.length()};
  }
  return host;
}

bool adapt_vdso(ImageTask& t, const HostVdso& host, const std::function<bool(uint64_t, std::span<std::byte>)>& read) {
  std::vector<const pb::vma_entry*> parts;
  const pb::vma_entry* code = nullptr;
  for (const auto& v : t.mm.vmas())
    if (is_vdso(v)) {
      parts.push_back(&v);
      if (v.status() & kVmaVdso) code = &v;
    }
  if (!code || host.code.empty() || code->end() - code->start() > 1 << 20) return false;
  std::vector<std::byte> bytes(code->end() - code->start());
  bool there = read(code->start(), bytes);
  bool alike = same_layout(parts, host);
  if (alike && (!there || std::ranges::equal(bytes, host.code))) return false;
  if (!there)
    throw Error(Failure::environment, t.object(), "its vDSO is that of another kernel and not in the images",
                "restore on the kernel it was dumped on");
  uint64_t old_base = code->start();
  uint64_t span = host.parts.back().end - host.parts.front().start;
  uint64_t place = place_for(t.mm, span);
  pb::vma_entry pattern = *code;
  uint64_t code_offset = 0;
  for (const auto& part : host.parts)
    if (part.code) code_offset = part.start - host.parts.front().start;
  patch_functions(t, old_base, bytes, place + code_offset, host);
  for (auto& v : *t.mm.mutable_vmas())
    if (is_vdso(v)) {
      v.set_status(kVmaRegular | kVmaAnonPrivate);
      v.set_flags(MAP_PRIVATE | MAP_ANONYMOUS);
      v.set_fd(-1);
      v.set_shmid(0);
      v.set_pgoff(0);
    }
  for (const auto& part : host.parts) {
    pb::vma_entry v = pattern;
    v.set_start(place + (part.start - host.parts.front().start));
    v.set_end(v.start() + (part.end - part.start));
    v.set_prot(part.code ? PROT_READ | PROT_EXEC : PROT_READ);
    v.set_status(kVmaRegular | kVmaAnonPrivate | (part.code ? kVmaVdso : kVmaVvar));
    insert_vma(t, v);
  }
  log.info("%s: its vDSO is that of another kernel: %zu functions lead to this one's at %llx", t.object().c_str(),
           t.patches.size(), static_cast<unsigned long long>(place));
  return true;
}

}  // namespace nsr
