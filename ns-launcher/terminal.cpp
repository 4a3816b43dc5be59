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
  return terminal;
}

bool Terminal::is_ours() const { return tty_ && ::tcgetpgrp(tty_.get()) == ::getpgrp(); }

void Terminal::lend(pid_t group) {
  if (lent_ || group <= 0 || !is_ours()) return;
  // Started in the background, the shell may have had other modes then than now.
  if (auto now = modes_of(tty_.get()); now && trees_) callers_ = now;
  if (group != ::getpgrp() && ::tcsetpgrp(tty_.get(), group) != 0) return;  // EPERM: of another session
  if (trees_) ::tcsetattr(tty_.get(), TCSANOW, &*trees_);
  lent_ = true;
}

void Terminal::take_back() {
  if (!lent_) return;
  lent_ = false;
  trees_ = modes_of(tty_.get());
  ::tcsetpgrp(tty_.get(), ::getpgrp());
  if (callers_) ::tcsetattr(tty_.get(), TCSANOW, &*callers_);
}

}  // namespace nsr::launcher
