#include "engine/base/memory_object.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/base/file_io.h"

namespace nsr {
namespace {

constexpr long kHugetlbfs = 0x958458f6;  // linux/magic.h
constexpr uint64_t kPage = 4096;

/// A part of an object in the engine's memory.
class Window {
 public:
  /// start: a multiple of the page size. Without success it is empty, with errno.
  Window(int fd, int prot, uint64_t start, size_t bytes)
      : bytes_(bytes), at_(::mmap(nullptr, bytes, prot, MAP_SHARED, fd, static_cast<off_t>(start))) {}
  ~Window() {
    if (*this) ::munmap(at_, bytes_);
  }
  Window(const Window&) = delete;
  explicit operator bool() const { return at_ != MAP_FAILED; }
  std::byte* data() const { return static_cast<std::byte*>(at_); }

 private:
  size_t bytes_;
  void* at_;
};

bool write_mapped(int fd, const void* bytes, size_t n, uint64_t offset, uint64_t page_size) {
  uint64_t start = offset & ~(page_size - 1), end = (offset + n + page_size - 1) & ~(page_size - 1);
  Window there(fd, PROT_READ | PROT_WRITE, start, end - start);
  if (there) std::memcpy(there.data() + (offset - start), bytes, n);
  return static_cast<bool>(there);
}

}  // namespace

uint64_t huge_page_size(int fd) {
  struct statfs fs {};
  return ::fstatfs(fd, &fs) == 0 && static_cast<long>(fs.f_type) == kHugetlbfs ? static_cast<uint64_t>(fs.f_bsize) : 0;
}

bool read_object(int fd, void* bytes, size_t n, uint64_t offset) {
  ssize_t got = ::pread(fd, bytes, n, static_cast<off_t>(offset));
  if (got < 0) return false;
  auto done = static_cast<size_t>(got);
  if (done == n) return true;
  auto* to = static_cast<std::byte*>(bytes);
  if (size_t before = done % kPage) {
    Window last(fd, PROT_READ, offset + done - before, kPage);
    if (!last) return false;
    std::memcpy(to + done, last.data() + before, kPage - before);
    done += kPage - before;
  }
  std::memset(to + done, 0, n - done);
  return true;
}

bool write_object(int fd, const void* bytes, size_t n, uint64_t offset) {
  if (uint64_t huge = huge_page_size(fd)) return write_mapped(fd, bytes, n, offset, huge);
  struct stat st {};
  if (::fstat(fd, &st)) return false;
  // the page in which it ends would make it longer
  uint64_t whole = static_cast<uint64_t>(st.st_size) & ~(kPage - 1);
  size_t first = std::min<uint64_t>(n, whole > offset ? whole - offset : 0);
  return pwrite_exact(fd, bytes, first, static_cast<off_t>(offset)) &&
         (first == n ||
          write_mapped(fd, static_cast<const std::byte*>(bytes) + first, n - first, offset + first, kPage));
}

}  // namespace nsr
