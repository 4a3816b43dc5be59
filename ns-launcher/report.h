// What the init of the new pid namespace tells the launcher: small records over a SOCK_SEQPACKET socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace nsr::launcher {

enum class Event : int32_t {
  setup_failed,  ///< value: exit code; the sentence is on stderr already
  root_created,  ///< value: the root's pid inside; the tree does not run yet. The record carries the root's pid for us,
                 ///< too
  restored,      ///< the engine has ended well, the tree runs
  engine_failed,  ///< value: wait status of the engine; 0 = it ended well without having made a root
  stopped,        ///< value: the signal that stopped the root (or the engine)
  ended,          ///< value: wait status of the root; nothing else lives, init ends too
  ended_alone,    ///< value: wait status of the root; the rest of the tree lives on with its init
};

struct Report {
  Event event;
  int32_t value;
};

/// The pid of a report as the receiver's pid namespace sees it; the kernel translates (SCM_CREDENTIALS, unix(7)).
struct Received {
  Report report;
  pid_t sender_or_named;
};

/// Sends a report. named: a process of the sender's namespace that the record's credentials shall name (needs
/// CAP_SYS_ADMIN there); 0 = the sender. wait = false drops the report when the receiver has not read for long.
/// False with errno on failure (EPIPE: the launcher is gone; ESRCH: there is no process `named`).
[[nodiscard]] bool send_report(int socket, Report report, pid_t named = 0, bool wait = true);

/// Receives the next report; SO_PASSCRED must be set. Nothing at the end: init is gone.
std::optional<Received> receive_report(int socket);

}  // namespace nsr::launcher
