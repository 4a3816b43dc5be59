#include "engine/files/tty_queues.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

constexpr const char* kObject = "unread data of pseudo-terminals";
constexpr int kPatienceMs = 2000;  // for the kernel's worker that carries bytes from one end to the other
constexpr size_t kMostLine = 8192;

bool ready(int fd, short events, int timeout_ms = 0) {
  pollfd p{fd, events, 0};
  return ::poll(&p, 1, timeout_ms) == 1 && (p.revents & events) != 0;
}

[[noreturn]] void fail(const char* what) { throw_errno(Failure::environment, kObject, what, errno); }

/// Settings and packet mode of a pair as they were, whatever was done to them.
class Settings {
 public:
  explicit Settings(int master) : master_(master) {
    if (::ioctl(master, TCGETS2, &own_) != 0) fail("the settings cannot be read");
    (void)::ioctl(master, TIOCGPKT, &packets_);
    set_packets(0);
  }
  ~Settings() {
    (void)::ioctl(master_, TCSETS2, &own_);
    set_packets(1);
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  const struct termios2& own() const { return own_; }
  /// With EXTPROC (a remote side edits the lines) the kernel keeps no lines.
  bool canonical() const { return (own_.c_lflag & (ICANON | EXTPROC)) == ICANON; }
  void set(const struct termios2& t) const {
    if (::ioctl(master_, TCSETS2, &t) != 0) fail("the settings cannot be changed");
  }

 private:
  void set_packets(int on) const {
    if (packets_) (void)::ioctl(master_, TIOCPKT, &on);
  }
  int master_, packets_ = 0;
  struct termios2 own_ {};
};

void read_all(int fd, std::string& to) {
  char buffer[4096];
  // tasks that could take it are frozen: what poll(2) promises is there, so that a blocking end does not wait
  while (ready(fd, POLLIN)) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return;  // EIO: the other end is closed and everything is read
    to.append(buffer, static_cast<size_t>(n));
  }
}

/// Finished lines one by one: a read ends behind each.
void read_lines(int slave, const struct termios2& t, TtyQueues& queues) {
  char buffer[kMostLine];
  while (ready(slave, POLLIN)) {
    ssize_t n = ::read(slave, buffer, sizeof buffer);
    if (n < 0) return;
    char last = n > 0 ? buffer[n - 1] : '\0';
    bool delimiter =
        last == '\n' ||
        (last != '\0' && (last == static_cast<char>(t.c_cc[VEOL]) || last == static_cast<char>(t.c_cc[VEOL2])));
    queues.input.append(buffer, static_cast<size_t>(n));
    queues.pieces.push_back(static_cast<uint32_t>(n) * 2 + (delimiter ? 0 : 1));
  }
}

void read_input(int slave, const Settings& settings, TtyQueues& queues) {
  if (settings.canonical()) read_lines(slave, settings.own(), queues);
  // a line that is not finished is seen by nobody until the mode changes
  struct termios2 raw = settings.own();
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  settings.set(raw);
  read_all(slave, queues.input);
  settings.set(settings.own());
}

/// Bytes that appear nowhere in a text, for control characters of our own.
std::vector<cc_t> unused_bytes(const std::string& text, const struct termios2& t) {
  std::vector<bool> used(256);
  for (char c : text) used[static_cast<unsigned char>(c)] = true;
  used[0] = used['\n'] = used[255] = used[t.c_cc[VEOL]] = used[t.c_cc[VEOL2]] = true;  // 0 is "no character"
  std::vector<cc_t> out;
  for (int c = 1; c < 256; ++c)
    if (!used[static_cast<size_t>(c)]) out.push_back(static_cast<cc_t>(c));
  return out;
}

void write_all(int fd, const char* bytes, size_t n) {
  while (n > 0) {
    if (!ready(fd, POLLOUT, kPatienceMs)) {
      errno = EAGAIN;
      fail("it does not fit again");
    }
    ssize_t done = ::write(fd, bytes, std::min<size_t>(n, 1024));
    if (done < 0) fail("it cannot be written again");
    bytes += done;
    n -= static_cast<size_t>(done);
  }
}

bool can_write(int slave) { return ready(slave, POLLOUT); }

/// Settings under which bytes from the master arrive as they are: no echo, no signals, no translation.
struct termios2 plain(const Settings& settings) {
  struct termios2 t = settings.own();
  t.c_iflag = 0;
  t.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  t.c_lflag &= ICANON | EXTPROC;
  for (int i = 0; i < NCCS; ++i)
    if (i != VEOL && i != VEOL2) t.c_cc[i] = 0;
  t.c_cc[VMIN] = 1;
  return t;
}

/// Types STOP (or START) and waits until the slave's output says that it has arrived, and all that was typed before.
void type_flow(const TtyEnds& pair, cc_t character, bool stops) {
  write_all(pair.master, reinterpret_cast<const char*>(&character), 1);
  for (int ms = 0; can_write(pair.slave) == stops; ++ms) {
    if (ms == kPatienceMs) {
      errno = ETIMEDOUT;
      fail("a control character did not arrive");
    }
    (void)::poll(nullptr, 0, 1);
  }
}

void feed_lines(const TtyEnds& pair, const Settings& settings, const TtyQueues& queues) {
  std::vector<cc_t> spare = unused_bytes(queues.input, settings.own());
  if (spare.size() < 3) throw Error(Failure::environment, kObject, "every byte value is in use in it");
  struct termios2 t = plain(settings);
  const cc_t end = t.c_cc[VEOF] = spare[0], stop = t.c_cc[VSTOP] = spare[1], start = t.c_cc[VSTART] = spare[2];
  t.c_iflag = IXON;
  settings.set(t);
  const char* at = queues.input.data();
  for (uint32_t piece : queues.pieces) {
    write_all(pair.master, at, piece / 2);
    if (piece & 1) write_all(pair.master, reinterpret_cast<const char*>(&end), 1);
    at += piece / 2;
  }
  write_all(pair.master, at, static_cast<size_t>(queues.input.data() + queues.input.size() - at));
  // under other settings the bytes on the way would become other things
  type_flow(pair, stop, true);
  type_flow(pair, start, false);
}

void feed_bytes(const TtyEnds& pair, const Settings& settings, const std::string& input) {
  constexpr int kRoom = 4095;  // of the line discipline; what is beyond waits before it, as it did
  settings.set(plain(settings));
  write_all(pair.master, input.data(), input.size());
  const int wanted = std::min(static_cast<int>(input.size()), kRoom);
  for (int ms = 0, there = 0; ms < kPatienceMs; ++ms) {
    if (::ioctl(pair.slave, FIONREAD, &there) != 0 || there >= wanted) return;
    (void)::poll(nullptr, 0, 1);
  }
  errno = ETIMEDOUT;
  fail("bytes that were written again do not arrive");
}

void feed_output(const TtyEnds& pair, const Settings& settings, const std::string& output) {
  settings.set(plain(settings));
  UniqueFd opened;
  if (pair.slave < 0) {
    opened.reset(::ioctl(pair.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!opened) fail("the slave cannot be opened");
  }
  write_all(opened ? opened.get() : pair.slave, output.data(), output.size());
}

void stop_output(const TtyEnds& pair, const Settings& settings, uint32_t how) {
  if (how == TtyQueues::by_ioctl && ::ioctl(pair.slave, TCXONC, TCOOFF) != 0) fail("output cannot be stopped");
  if (how != TtyQueues::by_character) return;
  struct termios2 t = plain(settings);
  t.c_iflag = IXON;
  t.c_cc[VSTOP] = 1;
  settings.set(t);
  type_flow(pair, 1, true);
}

/// How output is stopped, if it is; it is running afterwards. The queue to the master must be empty.
uint32_t start_output(const TtyEnds& pair, const Settings& settings) {
  if (can_write(pair.slave)) return TtyQueues::running;
  (void)::ioctl(pair.slave, TCXONC, TCOON);  // starts only what TCOOFF has stopped
  if (can_write(pair.slave)) return TtyQueues::by_ioctl;
  struct termios2 t = plain(settings);
  t.c_iflag = IXON;
  t.c_cc[VSTART] = 1;
  settings.set(t);
  type_flow(pair, 1, false);
  return TtyQueues::by_character;
}

void feed(const TtyEnds& pair, const Settings& settings, const TtyQueues& queues) {
  if (!queues.input.empty() || !queues.pieces.empty()) {
    if (settings.canonical())
      feed_lines(pair, settings, queues);
    else
      feed_bytes(pair, settings, queues.input);
  }
  if (!queues.output.empty()) feed_output(pair, settings, queues.output);
  if (queues.stopped != TtyQueues::running) stop_output(pair, settings, queues.stopped);
}

TtyQueues take(const TtyEnds& pair, const Settings& settings) {
  TtyQueues queues;
  read_all(pair.master, queues.output);
  if (pair.slave < 0) return queues;
  queues.stopped = start_output(pair, settings);
  read_input(pair.slave, settings, queues);
  return queues;
}

void send(int to, const TtyQueues& q) {
  const uint32_t head[4] = {static_cast<uint32_t>(q.output.size()), static_cast<uint32_t>(q.input.size()),
                            static_cast<uint32_t>(q.pieces.size()), q.stopped};
  (void)(write_exact(to, head, sizeof head) && write_exact(to, q.output.data(), q.output.size()) &&
         write_exact(to, q.input.data(), q.input.size()) &&
         write_exact(to, q.pieces.data(), q.pieces.size() * sizeof(uint32_t)));
}

std::optional<TtyQueues> receive(int from) {
  uint32_t head[4];
  if (!read_exact(from, head, sizeof head)) return std::nullopt;
  TtyQueues q;
  q.output.resize(head[0]);
  q.input.resize(head[1]);
  q.pieces.resize(head[2]);
  q.stopped = head[3];
  bool whole = read_exact(from, q.output.data(), q.output.size()) && read_exact(from, q.input.data(), q.input.size()) &&
               read_exact(from, q.pieces.data(), q.pieces.size() * sizeof(uint32_t));
  return whole ? std::optional(q) : std::nullopt;
}

/// Takes and puts back before it says anything: nobody may be there to hear it. It has copies of all descriptors of the
/// engine, also of those that hold the tree's tasks, so that nobody runs before the data is back.
[[noreturn]] void serve(const std::vector<TtyEnds>& pairs, int to) {
  int status = 0;
  std::vector<TtyQueues> all;
  for (const TtyEnds& pair : pairs) try {
      Settings settings(pair.master);
      all.push_back(take(pair, settings));
      feed(pair, settings, all.back());
    } catch (const Error&) {
      status = 1;
    }
  for (const TtyQueues& q : all) send(to, q);
  ::_exit(status);
}

}  // namespace

std::vector<TtyQueues> look_into(const std::vector<TtyEnds>& pairs) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("a pipe cannot be made");
  UniqueFd from(ends[0]), to(ends[1]);
  clone_args args{};  // no exit signal: whoever waits for tracees does not see this child
  const long child = ::syscall(SYS_clone3, &args, sizeof args);
  if (child < 0) fail("a process cannot be made");
  if (child == 0) {
    ::setsid();  // whoever kills the engine's process group does not mean this one
    serve(pairs, to.get());
  }
  to.reset();
  std::vector<TtyQueues> all;
  while (auto q = receive(from.get())) all.push_back(std::move(*q));
  int status = 0;
  while (::waitpid(static_cast<pid_t>(child), &status, __WALL) < 0 && errno == EINTR) {
  }
  if (status != 0 || all.size() != pairs.size()) throw Error(Failure::environment, kObject, "it cannot be looked at");
  return all;
}

void feed_queues(const TtyEnds& pair, const TtyQueues& queues, const std::string& object) {
  try {
    Settings settings(pair.master);
    feed(pair, settings, queues);
  } catch (const Error& e) {
    throw Error(Failure::environment, object, std::string("its unread data: ") + e.cause());
  }
}

}  // namespace nsr
