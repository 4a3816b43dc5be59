#include "engine/restore/release_guard.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

std::vector<UniqueFd> pidfds_of(const std::vector<HostPid>& tasks) {
  std::vector<UniqueFd> pidfds;
  for (HostPid pid : tasks) {
    pidfds.push_back(open_pidfd(pid));
    if (!pidfds.back())
      throw_errno(Failure::environment, format("pid %d", pid.value), "a pidfd of it cannot be opened", errno);
  }
  return pidfds;
}

}  // namespace

ReleaseGuard::ReleaseGuard(const std::vector<HostPid>& tasks)
    : pidfds_(pidfds_of(tasks)), watch_("restore", [this] {
        for (const UniqueFd& task : pidfds_) ::syscall(SYS_pidfd_send_signal, task.get(), SIGKILL, nullptr, 0);
      }) {}

}  // namespace nsr
