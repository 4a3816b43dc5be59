// The caller's terminal, lent to the restored tree with --shell-job, or relayed to a terminal of the tree's own.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <memory>
#include <optional>

#include "engine/base/terminal_relay.h"
#include "engine/base/unique_fd.h"

namespace nsr::launcher {

/// Lends the controlling terminal as a job-control shell does: the foreground group and the terminal's modes change
/// hands together. Without a controlling terminal every call does nothing. SIGTTOU must be blocked.
class Terminal {
 public:
  Terminal() = default;
  /// Opens /dev/tty and notes the modes that the caller's shell will want back.
  static Terminal open();
  Terminal(Terminal&&) = default;
  Terminal& operator=(Terminal&&) = default;
  ~Terminal() { take_back(); }

  /// A session in the tree has a terminal of its own, which from now on is relayed instead of lending ours: lend()
  /// attaches, take_back() detaches.
  void relay_to(UniqueFd master);
  /// nullptr when not relayed.
  TerminalRelay* relay() const { return relay_.get(); }

  /// True when our own process group is in the foreground.
  bool is_ours() const;
  /// True when this group is.
  bool belongs_to(pid_t group) const;
  /// Between lend() and take_back(). The foreground group may still be ours: a shell sets it when it starts a job, and
  /// may do so later than we.
  bool is_lent() const { return lent_ || (relay_ && relay_->attached()); }
  /// If we are in the foreground, puts a group of our session there. modes: true = set the modes it had when the
  /// terminal was taken back last. A group of another session leaves all as it is.
  void lend(pid_t group);
  /// Puts our own group into the foreground and sets the caller's modes; those of the tree are kept for the next
  /// lend().
  void take_back();

 private:
  UniqueFd tty_;
  bool lent_ = false;
  bool noted_in_front_ = false;
  std::optional<termios> callers_, trees_;
  std::unique_ptr<TerminalRelay> relay_;
};

}  // namespace nsr::launcher
