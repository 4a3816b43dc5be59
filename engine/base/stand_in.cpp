#include "engine/base/stand_in.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

constexpr const char* kName = "nsr-stand-in";

/// The ones that interruption.h holds back, and the child's end.
sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&set, s);
  return set;
}

[[noreturn]] void die_by(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  ::raise(signal);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::_exit(128 + signal);
}

int exit_status_of(pid_t child, const sigset_t& signals) {
  for (;;) {
    int status;
    pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child && WIFSIGNALED(status)) die_by(WTERMSIG(status));
    if (ended == child) return WEXITSTATUS(status);
    siginfo_t info;
    if (int got = ::sigwaitinfo(&signals, &info); got > 0 && got != SIGCHLD) ::kill(child, got);
  }
}

}  // namespace

std::optional<int> leave_to_stand_in() {
  std::fflush(nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would take the child's status with it
  sigset_t signals = awaited_signals(), before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t engine = ::getpid(), child = ::fork();
  if (child < 0) throw_errno(Failure::environment, "the engine", "making a process that stands in failed", errno);
  if (child > 0) {
    int status = exit_status_of(child, signals);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return status;
  }
  ::setsid();
  ::prctl(PR_SET_NAME, kName);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != engine) ::_exit(1);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void await_stand_in_of(pid_t traced, int limit_ms) {
  auto status = read_file(format("/proc/%d/status", traced));
  size_t at = status ? status->find("\nTracerPid:") : std::string::npos;
  pid_t tracer = at == std::string::npos ? 0 : std::atoi(status->c_str() + at + std::strlen("\nTracerPid:"));
  if (tracer == 0 || read_file(format("/proc/%d/comm", tracer)) != std::string(kName) + "\n") return;
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, tracer, 0)));
  pollfd p{fd.get(), POLLIN, 0};
  if (fd) ::poll(&p, 1, limit_ms);
}

}  // namespace nsr
