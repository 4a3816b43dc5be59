#include "engine/memory/page_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096, kHugePage = 2 << 20;
constexpr uint64_t kMost = 512 << 20;
constexpr int kMadvPopulateWrite = 23;  // Linux 5.14

/// What may be taken from the host for a moment without pressing others out.
uint64_t spare_bytes() {
  std::string text = read_file("/proc/meminfo").value_or("");
  size_t at = text.find("MemAvailable:");
  uint64_t kib = 0;
  if (at == std::string::npos || std::sscanf(text.c_str() + at, "MemAvailable: %" SCNu64, &kib) != 1) return 0;
  return kib * 1024 / 4;
}

}  // namespace

PageBuffer::PageBuffer(uint64_t bytes) {
  uint64_t size = (std::min(bytes, kMost) + kHugePage - 1) & ~(kHugePage - 1);
  if (size == 0 || size > spare_bytes()) return;
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  start_ = static_cast<std::byte*>(at);
  size_ = size;
  // All make it faster only. Guards are copies of this process, with which each page would have to be copied when it is
  // written to.
  (void)::madvise(at, size, MADV_DONTFORK);
  (void)::madvise(at, size, MADV_HUGEPAGE);
  (void)::madvise(at, size, kMadvPopulateWrite);
}

PageBuffer::~PageBuffer() {
  if (start_) ::munmap(start_, size_);
}

std::byte* PageBuffer::take(size_t n) {
  uint64_t at = used_.fetch_add(n);
  return at + n <= size_ ? start_ + at : nullptr;
}

uint64_t private_bytes_of_tree(HostPid root) {
  auto dir = procfs::ProcDir::try_open(root);
  if (!dir) return 0;
  uint64_t total = 0, resident = 0, shared = 0;
  std::string statm = dir->try_read("statm").value_or("");
  if (std::sscanf(statm.c_str(), "%*u %" SCNu64 " %" SCNu64, &resident, &shared) == 2 && resident > shared)
    total = (resident - shared) * kPage;
  std::string file = format("task/%d/children", root.value);
  for (int32_t child : procfs::parse_children(dir->try_read(file).value_or("")))
    total += private_bytes_of_tree(HostPid(child));
  return total;
}

}  // namespace nsr
