// Between a restored session and the terminal of whoever started the restore. A session that had its terminal from
// outside of the tree cannot take the caller's terminal for its own, for that is the controlling one of the caller's
// session. It gets a pseudo-terminal, and what is typed and printed is carried on, as script(1) and ssh(1) do: Ctrl-C,
// Ctrl-Z and the size reach the group that is in front in there (termios(3), tty_ioctl(4), pty(7)).
#pragma once

#include <poll.h>
#include <sys/types.h>
#include <termios.h>

#include <array>
#include <optional>

#include "engine/base/unique_fd.h"

namespace nsr {

/// The caller's modes must be in our hands while we are in front, so SIGTTOU must be blocked or ignored. Never throws
/// after the constructor: a terminal that is gone has its own signals (SIGHUP).
class TerminalRelay {
 public:
  static constexpr size_t kSources = 2;
  using Sources = std::array<pollfd, kSources>;

  /// master: of the pseudo-terminal of the tree. The caller's terminal is the first of descriptors 0 to 2 that is one,
  /// else /dev/tty. Throws Error(environment).
  explicit TerminalRelay(UniqueFd master);
  TerminalRelay(const TerminalRelay&) = delete;
  TerminalRelay& operator=(const TerminalRelay&) = delete;
  ~TerminalRelay() { detach(); }

  /// Whether our process group may read the caller's terminal: it is in front, or the terminal is not the one of our
  /// session.
  bool in_front() const;
  /// The caller's terminal hands on every key from here on, and whoever is in front in the tree is told to draw anew.
  /// Does nothing when not in front.
  void attach();
  /// Prints what has come out of the tree, gives the caller the modes back.
  void detach();
  bool attached() const { return callers_.has_value(); }
  /// The caller's window has another size now (SIGWINCH).
  void resized();

  /// What to wait for; without events while detached.
  Sources sources() const;
  /// Carries on what those have. Detaches when the terminal is gone or somebody else's.
  void serve(const Sources& ready);

 private:
  /// Bytes on their way.
  struct Pipe {
    std::array<char, 4096> bytes;
    size_t begin = 0, end = 0;

    bool empty() const { return begin == end; }
    /// False at the end of what can be read for now.
    bool fill(int from);
    void drain(int to);
  };

  void print_the_rest();

  UniqueFd caller_, master_;
  UniqueFd slave_;  ///< held open, so that a session that closes all its descriptors does not look like its end
  std::optional<termios> callers_;
  Pipe typed_, printed_;
};

}  // namespace nsr
