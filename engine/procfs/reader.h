// Reads the files of one task. Everything goes through one descriptor of /proc/PID, so a reused pid is never read by
// mistake: once the task is gone every read answers ESRCH.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr::procfs {

/// Directory /proc/PID or /proc/PID/task/TID. Methods that throw say Error(target) for a task that is gone and
/// Error(environment) for everything else; the try_ forms return no value and leave errno.
class ProcDir {
 public:
  /// Opens /proc/PID of the mounted /proc. Throws Error(target) when there is no such task.
  explicit ProcDir(HostPid pid);
  static std::optional<ProcDir> try_open(HostPid pid);
  /// Same under another mount of proc (a directory descriptor of its root).
  ProcDir(int proc_root, HostPid pid);
  /// Directory of one thread, opened below this one. Throws Error(target) when it is gone.
  ProcDir task(HostPid tid) const;

  HostPid pid() const { return pid_; }  ///< tid for a directory made by task()
  int fd() const { return fd_.get(); }
  /// False when the task (for a process: all of it, reaped) is gone.
  bool alive() const;

  /// Whole content of a file, e.g. "maps", "task/12/children", "fdinfo/3".
  std::string read(const char* name) const;
  std::string read(const std::string& name) const { return read(name.c_str()); }
  std::optional<std::string> try_read(const char* name) const;
  std::optional<std::string> try_read(const std::string& name) const { return try_read(name.c_str()); }
  /// The same in less time for files that are made in one piece: "status", "cgroup", "syscall" of a thread.
  std::string read_record(const std::string& name) const;
  std::optional<std::string> try_read_record(const std::string& name) const;
  /// Target of a link, e.g. "exe", "fd/3", "ns/net".
  std::string link(const char* name) const;
  std::string link(const std::string& name) const { return link(name.c_str()); }
  std::optional<std::string> try_link(const char* name) const;
  /// Names in a directory without "." and "..", in the kernel's order.
  std::vector<std::string> list(const char* name) const;
  std::optional<std::vector<std::string>> try_list(const char* name) const;
  /// Numbers in a directory ("fd", "task"), ascending; other names are skipped.
  std::vector<int> numbers(const char* name) const;
  std::optional<std::vector<int>> try_numbers(const char* name) const;
  /// Opens a file below; flags get O_CLOEXEC.
  UniqueFd open(const char* name, int flags) const;

  std::string describe(const char* name) const;  ///< "pid 4711 maps": the object of an error

 private:
  ProcDir(UniqueFd fd, HostPid pid, std::string label) : fd_(std::move(fd)), pid_(pid), label_(std::move(label)) {}
  [[noreturn]] void fail(const char* name, const char* what, int err) const;

  UniqueFd fd_;
  HostPid pid_;
  std::string label_;
};

}  // namespace nsr::procfs
