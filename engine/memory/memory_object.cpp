#include "engine/memory/memory_object.h"

#include <sys/mman.h>
#include <sys/vfs.h>

#include <cstring>

#include "engine/base/file_io.h"

namespace nsr {
namespace {
constexpr long kHugetlbfs = 0x958458f6;  // linux/magic.h
}

uint64_t huge_page_size(int fd) {
  struct statfs fs {};
  return ::fstatfs(fd, &fs) == 0 && static_cast<long>(fs.f_type) == kHugetlbfs ? static_cast<uint64_t>(fs.f_bsize) : 0;
}

bool write_object(int fd, const void* bytes, size_t n, uint64_t offset) {
  uint64_t huge = huge_page_size(fd);
  if (!huge) return pwrite_exact(fd, bytes, n, static_cast<off_t>(offset));
  uint64_t start = offset & ~(huge - 1), end = (offset + n + huge - 1) & ~(huge - 1);
  void* at = ::mmap(nullptr, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(start));
  if (at == MAP_FAILED) return false;
  std::memcpy(static_cast<std::byte*>(at) + (offset - start), bytes, n);
  ::munmap(at, end - start);
  return true;
}

}  // namespace nsr
