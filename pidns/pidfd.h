// A stable handle of a process, and files of its /proc directory that are surely its own.
#pragma once

#include <optional>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// pidfd_open(2), Linux 5.3. A pid number may be given to another process at any moment; this handle never is.
class Pidfd {
 public:
  /// Nothing when there is no such process (errno tells why; EINVAL for a thread that is no leader).
  static std::optional<Pidfd> open(HostPid pid);
  /// Takes over a descriptor that clone3(CLONE_PIDFD) gave.
  Pidfd(HostPid pid, UniqueFd fd) : pid_(pid), fd_(std::move(fd)) {}

  HostPid pid() const { return pid_; }
  int fd() const { return fd_.get(); }
  /// True while the number still belongs to this process (a zombie that was not waited for counts).
  bool same_task() const;
  /// pidfd_send_signal(2). False with errno on failure.
  [[nodiscard]] bool signal(int number) const;
  /// Opens /proc/PID as a directory and checks afterwards that it is this process's.
  /// Nothing when the process is gone. Use it with openat() for every file of the process.
  std::optional<UniqueFd> open_proc() const;

 private:
  HostPid pid_;
  UniqueFd fd_;
};

}  // namespace nsr
