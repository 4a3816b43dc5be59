#include "engine/files/tty_settings.h"

#include <asm/termbits.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <cstring>

namespace nsr {
namespace {

constexpr int kControlWords = 32;  // the peer's reader wants at least 19; the bytes themselves fill eight

template <class Termios>
pb::termios_entry pack(const Termios& t) {
  pb::termios_entry e;
  e.set_c_iflag(t.c_iflag);
  e.set_c_oflag(t.c_oflag);
  e.set_c_cflag(t.c_cflag);
  e.set_c_lflag(t.c_lflag);
  e.set_c_line(t.c_line);
  e.set_c_ispeed(0);
  e.set_c_ospeed(0);
  uint32_t words[kControlWords] = {};
  std::memcpy(words, t.c_cc, sizeof t.c_cc);
  for (uint32_t w : words) e.add_c_cc(w);
  return e;
}

bool flag_of(int fd, unsigned long request) {
  int value = 0;
  return ::ioctl(fd, request, &value) == 0 && value != 0;
}

template <class Termios>
Termios unpack(const pb::termios_entry& e) {
  Termios t{};
  t.c_iflag = e.c_iflag();
  t.c_oflag = e.c_oflag();
  t.c_cflag = e.c_cflag();
  t.c_lflag = e.c_lflag();
  t.c_line = static_cast<cc_t>(e.c_line());
  for (size_t i = 0; i < sizeof t.c_cc; ++i) {
    int word = static_cast<int>(i / 4);
    if (word < e.c_cc_size()) t.c_cc[i] = static_cast<cc_t>(e.c_cc(word) >> (i % 4 * 8));
  }
  return t;
}

/// Settings of a terminal change under SIGTTOU blocked: else a caller in the background would be stopped by them.
class BackgroundWrites {
 public:
  BackgroundWrites() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &set, &old_);
  }
  ~BackgroundWrites() { ::pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

 private:
  sigset_t old_;
};

}  // namespace

void put_terminal_settings(int fd, bool master, pb::tty_info_entry& info) {
  struct termios2 t {};
  if (::ioctl(fd, TCGETS2, &t) == 0) {
    *info.mutable_termios() = pack(t);
    // what c_cflag says by number needs no other record; the peer writes zeros
    if ((t.c_cflag & CBAUD) == BOTHER || (t.c_cflag >> IBSHIFT & CBAUD) == BOTHER) {
      info.mutable_termios()->set_c_ispeed(t.c_ispeed);
      info.mutable_termios()->set_c_ospeed(t.c_ospeed);
    }
  }
  struct termios locked {};
  if (::ioctl(fd, TIOCGLCKTRMIOS, &locked) == 0) *info.mutable_termios_locked() = pack(locked);
  struct winsize w {};
  if (::ioctl(fd, TIOCGWINSZ, &w) == 0) {
    info.mutable_winsize()->set_ws_row(w.ws_row);
    info.mutable_winsize()->set_ws_col(w.ws_col);
    info.mutable_winsize()->set_ws_xpixel(w.ws_xpixel);
    info.mutable_winsize()->set_ws_ypixel(w.ws_ypixel);
  }
  info.set_exclusive(flag_of(fd, TIOCGEXCL));
  info.set_locked(master && flag_of(fd, TIOCGPTLCK));
  info.set_packet_mode(master && flag_of(fd, TIOCGPKT));
}

bool apply_terminal_settings(int fd, const pb::tty_info_entry& info) {
  BackgroundWrites guard;
  bool ok = true;
  if (info.has_termios()) {
    auto t = unpack<struct termios2>(info.termios());
    t.c_ispeed = info.termios().c_ispeed();
    t.c_ospeed = info.termios().c_ospeed();
    ok &= ::ioctl(fd, TCSETS2, &t) == 0;
  }
  if (info.has_termios_locked()) {
    auto t = unpack<struct termios>(info.termios_locked());
    ok &= ::ioctl(fd, TIOCSLCKTRMIOS, &t) == 0;
  }
  if (info.has_winsize()) {
    struct winsize w {};
    w.ws_row = static_cast<unsigned short>(info.winsize().ws_row());
    w.ws_col = static_cast<unsigned short>(info.winsize().ws_col());
    w.ws_xpixel = static_cast<unsigned short>(info.winsize().ws_xpixel());
    w.ws_ypixel = static_cast<unsigned short>(info.winsize().ws_ypixel());
    ok &= ::ioctl(fd, TIOCSWINSZ, &w) == 0;
  }
  return ok;
}

}  // namespace nsr
