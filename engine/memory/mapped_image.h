// A pages image as memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsr {

class MappedImage {
 public:
  /// The descriptor stays the caller's. Throws Error when the file cannot be mapped.
  explicit MappedImage(int fd);
  ~MappedImage();
  MappedImage(const MappedImage&) = delete;
  MappedImage& operator=(const MappedImage&) = delete;

  /// nullptr when the file ends before offset + n.
  std::byte* at(uint64_t offset, uint64_t n) const {
    return offset <= size_ && n <= size_ - offset ? start_ + offset : nullptr;
  }

 private:
  std::byte* start_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace nsr
