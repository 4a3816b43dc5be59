// Files that are nothing but memory: memfd, shared anonymous memory, SysV segments, on tmpfs or hugetlbfs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsr {

/// Page size of a file of hugetlbfs, 0 for any other.
uint64_t huge_page_size(int fd);

/// pwrite(2) of all bytes, through a mapping where hugetlbfs knows no write. Returns false with errno.
[[nodiscard]] bool write_object(int fd, const void* bytes, size_t n, uint64_t offset);

}  // namespace nsr
