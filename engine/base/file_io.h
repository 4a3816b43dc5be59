// Whole-file reading and exact reads and writes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/unique_fd.h"

namespace nsr {

/// Whole content of a (proc) file; no value when it cannot be opened or read, errno tells why.
std::optional<std::string> read_file(const std::string& path);
/// Same relative to a directory descriptor.
std::optional<std::string> read_file_at(int dirfd, const char* name);
/// The same for a file of /proc whose text the kernel makes in one piece: a read that leaves room has got all of it.
std::optional<std::string> read_record_at(int dirfd, const char* name);
/// Target of a symbolic link; no value on failure, errno tells why.
std::optional<std::string> read_link(const std::string& path);
std::optional<std::string> read_link_at(int dirfd, const char* name);

/// Names of the directories in a directory, without hidden ones, in order; none when it cannot be read.
std::vector<std::string> child_directories(int dirfd);

/// Reads/writes exactly n bytes, retrying short transfers and EINTR. False on failure (errno) or early end (errno 0).
[[nodiscard]] bool read_exact(int fd, void* buf, size_t n);
[[nodiscard]] bool pread_exact(int fd, void* buf, size_t n, off_t at);
[[nodiscard]] bool write_exact(int fd, const void* buf, size_t n);
[[nodiscard]] bool pwrite_exact(int fd, const void* buf, size_t n, off_t at);
/// Writes a string to an existing (proc or sysfs) file in one write. False with errno on failure.
[[nodiscard]] bool write_file(const std::string& path, const std::string& text);

}  // namespace nsr
