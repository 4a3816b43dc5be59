// The launcher's life after the start: reports from init, signals and the terminal from the caller's side.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <optional>

#include "ns-launcher/launch.h"
#include "ns-launcher/pidfile.h"
#include "ns-launcher/report.h"
#include "ns-launcher/terminal.h"

namespace nsr::launcher {

/// The caller's signal state, taken before anything is started.
struct CallerSignals {
  sigset_t mask;     ///< for the engine
  sigset_t ignored;  ///< not forwarded: nohup(1) means the tree, too
};

/// Blocks all signals (they are read from a signalfd), sets SIGCHLD to its default.
CallerSignals take_signals();

class Supervisor {
 public:
  Supervisor(const Options& options, const CallerSignals& signals, Terminal terminal, Started started);

  /// Waits for the end of the restore (detached) or of the root. Returns the exit code, or dies as the root did.
  /// Throws Error when the launcher's own part fails; nothing is left then.
  int run();

 private:
  /// The exit code when this report ends the launcher.
  std::optional<int> handle(const Received& received);
  void handle(const signalfd_siginfo& info);

  void hand_on(int signal);
  void root_created(int32_t inner, pid_t outer);
  int engine_failed(int status);
  int init_vanished();
  int finish(int status);
  void stopped(int signal);
  bool stop_ourselves(bool whole_group);
  void lend_terminal();
  void come_to_front();
  void resume();
  bool shares_our_group() const;
  int await_init();
  void abandon();

  const Options& options_;
  const CallerSignals& signals_;
  Terminal terminal_;
  Started started_;
  Pidfiles pidfiles_;
  UniqueFd signal_fd_;
  pid_t root_ = 0;               ///< as we see it
  bool running_ = false;         ///< the tree runs, the engine is gone
  int held_ = 0;                 ///< came from the terminal while the engine worked; 0 = none
  bool stop_handed_on_ = false;  ///< init was sent a SIGTSTP since the last SIGCONT
};

}  // namespace nsr::launcher
