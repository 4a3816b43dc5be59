#include "engine/base/file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace nsr {
namespace {

std::optional<std::string> slurp(UniqueFd fd, bool one_record) {
  if (!fd) return std::nullopt;
  std::string text;
  char buf[16384];
  for (;;) {
    ssize_t n = ::read(fd.get(), buf, sizeof buf);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) return text;
    text.append(buf, static_cast<size_t>(n));
    if (one_record && static_cast<size_t>(n) < sizeof buf) return text;
  }
}

template <class Call>
bool transfer(size_t n, Call call) {
  size_t done = 0;
  while (done < n) {
    ssize_t k = call(done);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return false;
    if (k == 0) {
      errno = 0;
      return false;
    }
    done += static_cast<size_t>(k);
  }
  return true;
}

}  // namespace

std::optional<std::string> read_file(const std::string& path) { return read_file_at(AT_FDCWD, path.c_str()); }

std::optional<std::string> read_file_at(int dirfd, const char* name) {
  return slurp(UniqueFd(::openat(dirfd, name, O_RDONLY | O_CLOEXEC)), false);
}

std::optional<std::string> read_record_at(int dirfd, const char* name) {
  return slurp(UniqueFd(::openat(dirfd, name, O_RDONLY | O_CLOEXEC)), true);
}

std::optional<std::string> read_link(const std::string& path) { return read_link_at(AT_FDCWD, path.c_str()); }

std::optional<std::string> read_link_at(int dirfd, const char* name) {
  std::string buf(256, '\0');
  for (;;) {
    ssize_t n = ::readlinkat(dirfd, name, buf.data(), buf.size());
    if (n < 0) return std::nullopt;
    if (static_cast<size_t>(n) < buf.size()) {
      buf.resize(static_cast<size_t>(n));
      return buf;
    }
    buf.resize(buf.size() * 2);
  }
}

std::vector<std::string> child_directories(int dirfd) {
  std::vector<std::string> out;
  int own = ::openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> dir(own < 0 ? nullptr : ::fdopendir(own),
                                          [](DIR* d) { return d ? ::closedir(d) : 0; });
  while (dir) {
    dirent* e = ::readdir(dir.get());
    if (!e) break;
    if (e->d_type == DT_DIR && e->d_name[0] != '.') out.push_back(e->d_name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool read_exact(int fd, void* buf, size_t n) {
  return transfer(n, [&](size_t at) { return ::read(fd, static_cast<char*>(buf) + at, n - at); });
}

bool pread_exact(int fd, void* buf, size_t n, off_t pos) {
  return transfer(
      n, [&](size_t at) { return ::pread(fd, static_cast<char*>(buf) + at, n - at, pos + static_cast<off_t>(at)); });
}

bool write_exact(int fd, const void* buf, size_t n) {
  return transfer(n, [&](size_t at) { return ::write(fd, static_cast<const char*>(buf) + at, n - at); });
}

bool pwrite_exact(int fd, const void* buf, size_t n, off_t pos) {
  return transfer(n, [&](size_t at) {
    return ::pwrite(fd, static_cast<const char*>(buf) + at, n - at, pos + static_cast<off_t>(at));
  });
}

bool write_file(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return false;
  return ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace nsr
