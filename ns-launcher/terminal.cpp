#include "ns-launcher/terminal.h"

#include <fcntl.h>
#include <unistd.h>

namespace nsr::launcher {
namespace {

std::optional<termios> modes_of(int tty) {
  termios modes;
  if (::tcgetattr(tty, &modes) != 0) return std::nullopt;
  return modes;
}

}  // namespace

Terminal Terminal::open() {
  Terminal terminal;
  terminal.tty_.reset(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (terminal.tty_) terminal.callers_ = modes_of(terminal.tty_.get());
  terminal.noted_in_front_ = terminal.is_ours();
  return terminal;
}

void Terminal::relay_to(UniqueFd master) { relay_ = std::make_unique<TerminalRelay>(std::move(master)); }

bool Terminal::is_ours() const { return tty_ && ::tcgetpgrp(tty_.get()) == ::getpgrp(); }

bool Terminal::belongs_to(pid_t group) const { return tty_ && group > 0 && ::tcgetpgrp(tty_.get()) == group; }

void Terminal::lend(pid_t group) {
  if (relay_) return relay_->attach();
  if (group <= 0 || !is_ours()) return;
  if (group != ::getpgrp() && ::tcsetpgrp(tty_.get(), group) != 0) return;  // EPERM: of another session
  if (lent_) return;
  lent_ = true;
  // Since we were started or stopped the caller's shell may have set other modes; at a start in the foreground the
  // engine may have, and those that open() noted are the caller's.
  if (!noted_in_front_ || trees_) callers_ = modes_of(tty_.get());
  if (trees_) ::tcsetattr(tty_.get(), TCSANOW, &*trees_);
}

void Terminal::take_back() {
  if (relay_) relay_->detach();
  if (!lent_) return;
  lent_ = false;
  trees_ = modes_of(tty_.get());
  ::tcsetpgrp(tty_.get(), ::getpgrp());
  if (callers_) ::tcsetattr(tty_.get(), TCSANOW, &*callers_);
}

}  // namespace nsr::launcher
