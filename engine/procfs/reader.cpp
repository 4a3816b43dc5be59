#include "engine/procfs/reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr::procfs {
namespace {

/// What the kernel answers for a file of a task that is gone: ESRCH, or ENOENT when the name itself is looked up again.
bool means_gone(int err) { return err == ESRCH || err == ENOENT; }

UniqueFd open_dir(int at, const std::string& name) {
  return UniqueFd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

struct CloseDir {
  void operator()(DIR* d) const { ::closedir(d); }
};

}  // namespace

ProcDir::ProcDir(HostPid pid) : pid_(pid), label_(format("pid %d", pid.value)) {
  fd_ = open_dir(AT_FDCWD, format("/proc/%d", pid.value));
  if (!fd_) fail("", "cannot open its /proc directory", errno);
}

ProcDir::ProcDir(int proc_root, HostPid pid) : pid_(pid), label_(format("pid %d", pid.value)) {
  fd_ = open_dir(proc_root, format("%d", pid.value));
  if (!fd_) fail("", "cannot open its /proc directory", errno);
}

std::optional<ProcDir> ProcDir::try_open(HostPid pid) {
  UniqueFd fd = open_dir(AT_FDCWD, format("/proc/%d", pid.value));
  if (!fd) return std::nullopt;
  return ProcDir(std::move(fd), pid, format("pid %d", pid.value));
}

ProcDir ProcDir::task(HostPid tid) const {
  UniqueFd fd = open_dir(fd_.get(), format("task/%d", tid.value));
  if (!fd) fail(format("task/%d", tid.value).c_str(), "cannot open the thread's directory", errno);
  return ProcDir(std::move(fd), tid, format("%s thread %d", label_.c_str(), tid.value));
}

bool ProcDir::alive() const {
  // A lookup under the directory of a reaped task fails; "stat" exists for every other, zombies included.
  return ::faccessat(fd_.get(), "stat", F_OK, 0) == 0;
}

std::optional<std::string> ProcDir::try_read(const char* name) const { return read_file_at(fd_.get(), name); }

std::string ProcDir::read(const char* name) const {
  std::optional<std::string> text = try_read(name);
  if (!text) fail(name, "cannot be read", errno);
  return std::move(*text);
}

std::optional<std::string> ProcDir::try_read_record(const std::string& name) const {
  return read_record_at(fd_.get(), name.c_str());
}

std::string ProcDir::read_record(const std::string& name) const {
  std::optional<std::string> text = try_read_record(name);
  if (!text) fail(name.c_str(), "cannot be read", errno);
  return std::move(*text);
}

std::optional<std::string> ProcDir::try_link(const char* name) const { return read_link_at(fd_.get(), name); }

std::string ProcDir::link(const char* name) const {
  std::optional<std::string> target = try_link(name);
  if (!target) fail(name, "cannot be read", errno);
  return std::move(*target);
}

std::optional<std::vector<std::string>> ProcDir::try_list(const char* name) const {
  UniqueFd fd = open_dir(fd_.get(), name);
  if (!fd) return std::nullopt;
  std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (!dir) return std::nullopt;
  (void)fd.release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (!entry) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  }
  if (errno != 0) return std::nullopt;
  return names;
}

std::vector<std::string> ProcDir::list(const char* name) const {
  std::optional<std::vector<std::string>> names = try_list(name);
  if (!names) fail(name, "cannot be listed", errno);
  return std::move(*names);
}

std::optional<std::vector<int>> ProcDir::try_numbers(const char* name) const {
  std::optional<std::vector<std::string>> names = try_list(name);
  if (!names) return std::nullopt;
  std::vector<int> out;
  for (const std::string& text : *names) {
    int n = 0;
    auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (err == std::errc() && end == text.data() + text.size()) out.push_back(n);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<int> ProcDir::numbers(const char* name) const {
  std::optional<std::vector<int>> out = try_numbers(name);
  if (!out) fail(name, "cannot be listed", errno);
  return std::move(*out);
}

UniqueFd ProcDir::open(const char* name, int flags) const {
  UniqueFd fd(::openat(fd_.get(), name, flags | O_CLOEXEC));
  if (!fd) fail(name, "cannot be opened", errno);
  return fd;
}

std::string ProcDir::describe(const char* name) const { return *name ? label_ + " " + name : label_; }

void ProcDir::fail(const char* name, const char* what, int err) const {
  if (means_gone(err) && (!fd_ || !alive()))
    throw Error(Failure::target, describe(name), "the task does not exist (any more)");
  throw_errno(Failure::environment, describe(name), what, err);
}

}  // namespace nsr::procfs
