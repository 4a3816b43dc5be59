#include "engine/memory/mapped_image.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {

MappedImage::MappedImage(int fd) {
  struct stat st {};
  if (::fstat(fd, &st)) throw_errno(Failure::image, "pages image", "it cannot be looked at", errno);
  if (st.st_size == 0) return;
  void* at = ::mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw_errno(Failure::environment, "pages image", "mapping it failed", errno);
  start_ = static_cast<std::byte*>(at);
  size_ = static_cast<uint64_t>(st.st_size);
}

MappedImage::~MappedImage() {
  if (start_) ::munmap(start_, size_);
}

}  // namespace nsr
