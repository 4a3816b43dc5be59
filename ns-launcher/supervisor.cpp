#include "ns-launcher/supervisor.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iterator>

#include "engine/base/error.h"
#include "engine/base/pass_fd.h"
#include "ns-launcher/exit_status.h"

namespace nsr::launcher {
namespace {

constexpr int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP};

bool is_forwarded(int signal) {
  for (int each : forwarded)
    if (each == signal) return true;
  return false;
}

bool is_ignored(int signal) {
  struct sigaction action;
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void say(const std::string& sentence) { std::fprintf(stderr, "ns-restore: %s\n", sentence.c_str()); }

}  // namespace

CallerSignals take_signals() {
  CallerSignals signals;
  sigemptyset(&signals.ignored);
  for (int signal : forwarded)
    if (is_ignored(signal)) sigaddset(&signals.ignored, signal);
  // Ignored, it would reap our children before we can.
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &signals.mask);
  return signals;
}

Supervisor::Supervisor(const Options& options, const CallerSignals& signals, Terminal terminal, Started started)
    : options_(options),
      signals_(signals),
      terminal_(std::move(terminal)),
      started_(std::move(started)),
      pidfiles_(options.files_dir()) {
  sigset_t all;
  sigfillset(&all);
  signal_fd_.reset(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
}

int Supervisor::run() {
  try {
    if (!signal_fd_) throw_errno(Failure::environment, "signalfd", "cannot be made", errno);
    for (;;) {
      TerminalRelay* relay = terminal_.relay();
      auto relayed = relay ? relay->sources() : TerminalRelay::Sources{pollfd{-1, 0, 0}, pollfd{-1, 0, 0}};
      pollfd sources[] = {{started_.status.get(), POLLIN, 0}, {signal_fd_.get(), POLLIN, 0}, relayed[0], relayed[1]};
      if (::poll(sources, std::size(sources), -1) < 0) continue;  // EINTR after a stop
      if (relay && relay->attached()) {
        relay->serve({sources[2], sources[3]});
        if (!relay->attached()) come_to_front();
      }
      if (sources[0].revents) {
        auto received = receive_report(started_.status.get());
        if (!received) return init_vanished();
        if (auto code = handle(*received)) return *code;
      }
      signalfd_siginfo info;
      if (sources[1].revents && ::read(signal_fd_.get(), &info, sizeof info) == sizeof info) handle(info);
    }
  } catch (const Error&) {
    abandon();
    throw;
  }
}

std::optional<int> Supervisor::handle(const Received& received) {
  const Report& report = received.report;
  switch (report.event) {
    case Event::setup_failed:
      await_init();
      return report.value;
    case Event::root_created:
      root_created(report.value, received.sender_or_named);
      return std::nullopt;
    case Event::engine_failed:
      return engine_failed(report.value);
    case Event::restored:
      running_ = true;
      pidfiles_.keep();
      if (options_.detached) {
        (void)receive_report(started_.status.get());  // end-of-file: init has closed all that it had
        return 0;
      }
      if (held_ != 0 && !shares_our_group()) hand_on(held_);
      if (terminal_.relay()) come_to_front();
      return std::nullopt;
    case Event::stopped:
      stopped(report.value);
      return std::nullopt;
    case Event::ended:
      await_init();
      return finish(report.value);
    case Event::ended_alone:
      return finish(report.value);
  }
  return std::nullopt;
}

/// The tree stands and waits for our word.
void Supervisor::root_created(int32_t inner, pid_t outer) {
  root_ = outer;
  pidfiles_.write(options_.pidfile, outer);
  pidfiles_.write(options_.ns_pidfile, inner);
  if (UniqueFd master = receive_fd(started_.terminal.get())) terminal_.relay_to(std::move(master));
  lend_terminal();
  const char go = 1;
  // An engine that does not wait for this has closed its end.
  (void)::send(started_.engine.get(), &go, sizeof go, MSG_NOSIGNAL | MSG_DONTWAIT);
  started_.engine.reset();
}

int Supervisor::engine_failed(int status) {
  await_init();
  terminal_.take_back();
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return WEXITSTATUS(status);  // it has said why
  if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    say("the restore was ended by " + signal_name(signal) + " to ns-engine");
    bool asked_for = signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
    if (asked_for) die_by_signal(signal);
  } else {
    say("ns-engine ended without naming a root of the tree");
  }
  return static_cast<int>(Failure::internal);
}

/// Only SIGKILL from outside can end init like that, and its tree with it.
int Supervisor::init_vanished() {
  int status = await_init();
  terminal_.take_back();
  say("the restored tree was killed together with its init");
  if (WIFSIGNALED(status)) die_by_signal(WTERMSIG(status));
  return static_cast<int>(Failure::internal);
}

int Supervisor::finish(int status) {
  terminal_.take_back();
  if (WIFSIGNALED(status)) die_by_signal(WTERMSIG(status));
  return WEXITSTATUS(status);
}

void Supervisor::handle(const signalfd_siginfo& info) {
  int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGCONT) return resume();
  if (signal == SIGWINCH && terminal_.relay()) return terminal_.relay()->resized();
  if (!is_forwarded(signal) || sigismember(&signals_.ignored, signal)) return;
  // What the terminal sends, it sends to the whole group: nobody in it needs to be told twice.
  if (info.ssi_code == SI_KERNEL && shares_our_group()) {
    if (!running_) held_ = signal;  // the engine may be gone already, and the tree has not heard
    return;
  }
  hand_on(signal);
}

void Supervisor::hand_on(int signal) {
  if (signal == SIGTSTP) stop_handed_on_ = true;
  ::kill(started_.init, signal);
}

/// Whether those that our signals are meant for are in our own process group: the engine is, the root may be.
bool Supervisor::shares_our_group() const { return !running_ || ::getpgid(root_) == ::getpgrp(); }

/// The root (or the engine) was stopped: so are we, then the caller's shell can act. Continued, we continue it.
void Supervisor::stopped(int signal) {
  if (signal == SIGTTIN || signal == SIGTTOU) {
    // The shell brought a job that ran in the background to the front, or started it slower than we lent the terminal;
    // of this nobody is told by a signal.
    if (terminal_.is_ours()) {
      lend_terminal();
      if (terminal_.belongs_to(::getpgid(root_))) return resume();
    }
  }
  bool was_lent = terminal_.is_lent();
  terminal_.take_back();
  if (stop_ourselves(was_lent)) return;  // the SIGCONT that woke us waits in the signalfd
  // Nobody could ever continue us, so the kernel refused. A stop from the terminal has no effect there; a SIGSTOP
  // holds.
  // Init's SIGSTOP is but the way a SIGTSTP that we handed on is obeyed.
  if (signal == SIGSTOP && !stop_handed_on_) return lend_terminal();
  resume();
}

/// False when the kernel did not stop us: our process group is orphaned (setpgid(2)), or the caller ignores SIGTSTP.
/// whole_group: the terminal would have stopped all of our group, had it not been lent.
bool Supervisor::stop_ourselves(bool whole_group) {
  // A session leader could be continued by nobody; the kernel does not see that when the root is in our own group.
  if (sigismember(&signals_.ignored, SIGTSTP) || ::getsid(0) == ::getpid()) return false;
  ::kill(whole_group ? 0 : ::getpid(), SIGTSTP);
  sigset_t stop, pending;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  ::sigprocmask(SIG_UNBLOCK, &stop, nullptr);  // stops here
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  sigpending(&pending);
  return sigismember(&pending, SIGCONT);
}

void Supervisor::lend_terminal() {
  if (terminal_.relay() && !running_) return;  // what the engine says until then is for the caller's modes
  if (root_ > 0 && !options_.detached) terminal_.lend(::getpgid(root_));
}

/// A relay in the background stops as whoever reads there does; the tree runs on, at its own terminal.
void Supervisor::come_to_front() {
  lend_terminal();
  while (!terminal_.is_lent() && stop_ourselves(false)) lend_terminal();
}

void Supervisor::resume() {
  stop_handed_on_ = false;
  held_ = 0;
  lend_terminal();
  ::kill(started_.init, SIGCONT);
  if (terminal_.relay() && running_) come_to_front();
}

int Supervisor::await_init() {
  int status = 0;
  while (::waitpid(started_.init, &status, __WALL) < 0 && errno == EINTR) {
  }
  return status;
}

/// Our own part of the restore failed: nothing of it may stay.
void Supervisor::abandon() {
  terminal_.take_back();
  ::kill(started_.init, started_.give_up_signal);
  await_init();
}

}  // namespace nsr::launcher
