#include "engine/restore/release_guard.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/trace/tracee.h"

namespace nsr {

ReleaseGuard::ReleaseGuard(const std::vector<HostPid>& tasks) {
  std::vector<UniqueFd> pidfds;
  for (HostPid pid : tasks) {
    pidfds.push_back(open_pidfd(pid));
    if (!pidfds.back())
      throw_errno(Failure::environment, format("pid %d", pid.value), "a pidfd of it cannot be opened", errno);
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    throw_errno(Failure::environment, "restore", "making a socket pair failed", errno);
  UniqueFd word(ends[0]);
  word_ = UniqueFd(ends[1]);
  guard_ = ::fork();
  if (guard_ < 0) throw_errno(Failure::environment, "restore", "making the guard of the release failed", errno);
  if (guard_ > 0) return;
  word_.reset();
  watch(word.get(), pidfds);
}

/// Runs in a copy of the engine: nothing but system calls.
void ReleaseGuard::watch(int word, const std::vector<UniqueFd>& pidfds) {
  ::setsid();  // what kills the engine's group or comes from its terminal is not for the guard
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  char said;
  if (::read(word, &said, 1) != 1)
    for (const UniqueFd& task : pidfds) ::syscall(SYS_pidfd_send_signal, task.get(), SIGKILL, nullptr, 0);
  ::_exit(0);
}

void ReleaseGuard::done() {
  const char said = 1;
  // a guard that somebody has killed needs no word
  while (::send(word_.get(), &said, 1, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

ReleaseGuard::~ReleaseGuard() {
  word_.reset();
  int status;
  while (::waitpid(guard_, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace nsr
