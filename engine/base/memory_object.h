// Files that are nothing but memory: memfd, shared anonymous memory, SysV segments, on tmpfs or hugetlbfs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsr {

/// Page size of a file of hugetlbfs, 0 for any other.
uint64_t huge_page_size(int fd);

// An object may end inside a page. What lies behind its end there is memory, too: mappings show it, read(2) and
// write(2) do not.

/// Reads whole pages that hold data, zeros for what lies behind the last page. Returns false with errno.
[[nodiscard]] bool read_object(int fd, void* bytes, size_t n, uint64_t offset);

/// Writes whole pages inside of the object, which keeps its size. Returns false with errno.
[[nodiscard]] bool write_object(int fd, const void* bytes, size_t n, uint64_t offset);

}  // namespace nsr
