// The process between the launcher and the restored tree: init of the new pid namespace.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

#include "mountns/private_proc.h"
#include "pidns/image_ids.h"

namespace nsr::launcher {

/// All that init needs; it is a copy of the launcher and execs nothing.
struct InitPlan {
  ImageIds ids;
  Propagation propagation = Propagation::slave;
  bool detached = false;
  bool own_pidns = true;       ///< false: the images bring their own init; we only watch, as an ordinary process
  std::string engine;          ///< path to exec
  std::vector<char*> argv;     ///< of the engine, null at the end
  sigset_t engine_mask;        ///< the signal mask the caller had
  int status_socket = -1;      ///< reports to the launcher
  int engine_channel = -1;     ///< our end: the engine's int32 comes here, the launcher answers with one byte
  int engine_descriptor = -1;  ///< the engine's end, inherited under this number
  int engine_terminal =
      -1;  ///< where the engine sends a terminal that is to be relayed, inherited too; -1: nobody does
};

/// To be called in the new process with all signals blocked; the launcher's ends of all sockets must be closed here.
/// Never returns: ends when nothing of the tree lives, and takes everything with it when it fails.
[[noreturn]] void run_init(const InitPlan& plan);

/// What ends init and the tree with it, also sent by the kernel when the launcher dies. Where the tree is not in a pid
/// namespace of ours it must be a signal that lets us kill the children ourselves.
inline int give_up_signal(const InitPlan& plan) { return plan.own_pidns ? SIGKILL : SIGRTMIN; }

}  // namespace nsr::launcher
