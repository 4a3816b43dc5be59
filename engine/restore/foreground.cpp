#include "engine/restore/foreground.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/terminal_relay.h"

namespace nsr {
namespace {

/// One signal that is blocked acts as if it were not.
void let_act(int signal) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  ::raise(signal);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::sigprocmask(SIG_BLOCK, &one, nullptr);
}

class Foreground {
 public:
  explicit Foreground(UniqueFd master) : relay_(std::move(master)) {
    sigset_t heard;
    sigemptyset(&heard);
    for (int signal : {SIGCHLD, SIGWINCH, SIGCONT, SIGTSTP, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTTOU, SIGTTIN})
      sigaddset(&heard, signal);
    ::sigprocmask(SIG_BLOCK, &heard, nullptr);
    signals_.reset(::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw_errno(Failure::environment, "signalfd", "cannot be made", errno);
  }

  void run() {
    come_to_front();
    while (children_left()) {
      TerminalRelay::Sources relayed = relay_.sources();
      pollfd all[] = {relayed[0], relayed[1], {signals_.get(), POLLIN, 0}};
      if (::poll(all, 3, -1) < 0) continue;
      bool was_attached = relay_.attached();
      relay_.serve({all[0], all[1]});
      if (was_attached && !relay_.attached()) come_to_front();
      signalfd_siginfo info;
      if (::read(signals_.get(), &info, sizeof info) == sizeof info) handle(static_cast<int>(info.ssi_signo));
    }
  }

 private:
  static bool children_left() {
    int status;
    pid_t pid;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    }
    return pid == 0;
  }

  /// In the background we stop as whoever reads there does; the kernel drops that where nobody could continue us.
  void come_to_front() {
    relay_.attach();
    if (!relay_.attached()) let_act(SIGTTIN);
  }

  void handle(int signal) {
    switch (signal) {
      case SIGCHLD:
        return;
      case SIGWINCH:
        return relay_.resized();
      case SIGCONT:
        return come_to_front();
      default:
        relay_.detach();
        let_act(signal);
        come_to_front();
    }
  }

  TerminalRelay relay_;
  UniqueFd signals_;
};

}  // namespace

void wait_for_children(UniqueFd relayed) {
  if (relayed) return Foreground(std::move(relayed)).run();
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

}  // namespace nsr
