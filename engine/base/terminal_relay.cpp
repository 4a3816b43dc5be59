#include "engine/base/terminal_relay.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr int kPatience = 1000;         // ms that a terminal which takes nothing may delay the end
constexpr size_t kMostAtEnd = 1 << 17;  // bytes: more than a pseudo-terminal ever holds

/// A description of our own, for O_NONBLOCK is the description's.
UniqueFd open_callers() {
  constexpr int flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  for (int fd : {0, 1, 2})
    if (::isatty(fd)) return UniqueFd(::open(format("/proc/self/fd/%d", fd).c_str(), flags));
  return UniqueFd(::open("/dev/tty", flags));
}

}  // namespace

TerminalRelay::TerminalRelay(UniqueFd master) : caller_(open_callers()), master_(std::move(master)) {
  if (!caller_) throw_errno(Failure::environment, "the caller's terminal", "cannot be opened", errno);
  slave_.reset(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  int flags = ::fcntl(master_.get(), F_GETFL);
  if (!slave_ || flags < 0 || ::fcntl(master_.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    throw_errno(Failure::environment, "the tree's terminal", "cannot be used", errno);
}

bool TerminalRelay::in_front() const {
  pid_t front = ::tcgetpgrp(caller_.get());
  return front == ::getpgrp() || (front < 0 && errno == ENOTTY);
}

void TerminalRelay::attach() {
  if (attached() || !in_front()) return;
  termios modes;
  if (::tcgetattr(caller_.get(), &modes) != 0) return;
  callers_ = modes;
  ::cfmakeraw(&modes);
  ::tcsetattr(caller_.get(), TCSANOW, &modes);
  resized();
  // Of the same size as before nobody is told, but the screen is not what the tree thinks it is.
  pid_t front = 0;
  if (::ioctl(master_.get(), TIOCGPGRP, &front) == 0 && front > 0) ::kill(-front, SIGWINCH);
}

void TerminalRelay::detach() {
  if (!attached()) return;
  print_the_rest();
  ::tcsetattr(caller_.get(), TCSANOW, &*callers_);
  callers_.reset();
}

void TerminalRelay::resized() {
  winsize size;
  if (attached() && ::ioctl(caller_.get(), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
    ::ioctl(master_.get(), TIOCSWINSZ, &size);
}

bool TerminalRelay::Pipe::fill(int from) {
  ssize_t n = ::read(from, bytes.data(), bytes.size());
  begin = 0;
  end = n > 0 ? static_cast<size_t>(n) : 0;
  return n > 0;
}

void TerminalRelay::Pipe::drain(int to) {
  ssize_t n = ::write(to, bytes.data() + begin, end - begin);
  if (n > 0) begin += static_cast<size_t>(n);
  if (n < 0 && errno != EAGAIN && errno != EINTR) begin = end;  // nobody will ever take it
}

void TerminalRelay::print_the_rest() {
  for (size_t printed = 0; printed < kMostAtEnd && (!printed_.empty() || printed_.fill(master_.get()));) {
    pollfd ready{caller_.get(), POLLOUT, 0};
    if (::poll(&ready, 1, kPatience) <= 0) return;
    size_t before = printed_.begin;
    printed_.drain(caller_.get());
    printed += printed_.begin - before;
  }
}

TerminalRelay::Sources TerminalRelay::sources() const {
  auto wanted = [](const Pipe& from, const Pipe& to) {
    return static_cast<short>((from.empty() ? POLLIN : 0) | (to.empty() ? 0 : POLLOUT));
  };
  // of a negative descriptor poll(2) says nothing, not even POLLHUP
  return {pollfd{attached() ? caller_.get() : -1, wanted(typed_, printed_), 0},
          pollfd{attached() ? master_.get() : -1, wanted(printed_, typed_), 0}};
}

void TerminalRelay::serve(const Sources& ready) {
  if (!attached()) return;
  const short callers = ready[0].revents, trees = ready[1].revents;
  if (trees & POLLIN) printed_.fill(master_.get());
  bool refused = (callers & POLLIN) && !typed_.fill(caller_.get());
  if (!printed_.empty()) printed_.drain(caller_.get());
  if (!typed_.empty()) typed_.drain(master_.get());
  // What was hung up, or belongs to another group now, is readable for ever; its modes are not ours to give back.
  if ((callers & (POLLHUP | POLLERR | POLLNVAL)) || (refused && !in_front())) callers_.reset();
}

}  // namespace nsr
