// UNIX sockets dumped, closed and restored inside this process.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "engine/sockets/kinds.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/unix_queue.h"
#include "test/unit/fake_contexts.h"

using namespace nsr;

namespace {

fake::Kinds kinds() {
  fake::Kinds list;
  list.push_back(make_unix_kind());
  return list;
}

struct Round {
  fake::TempDir dir;
  std::unique_ptr<fake::Dump> dump;
  std::unique_ptr<fake::Restore> restore;
  std::vector<int> fds;
  fake::Kinds dumping = kinds(), restoring = kinds();

  explicit Round(const std::vector<int>& old, FileOptions options = {}) {
    dump = std::make_unique<fake::Dump>(dir.path, dumping, options);
    const auto ids = dump->run(old);
    for (int fd : old) close(fd);
    restore = std::make_unique<fake::Restore>(dir.path, restoring, options);
    restore->run();
    for (uint32_t id : ids) fds.push_back(restore->fd(id));
  }
};

struct Pair {
  int a, b;
  explicit Pair(int type) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, type, 0, fds) == 0);
    a = fds[0], b = fds[1];
  }
};

sockaddr_un named(const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof a.sun_path);
  memcpy(a.sun_path, path.data(), path.size());
  return a;
}

socklen_t length(const std::string& name) {
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
}

int bound(int type, const std::string& name) {
  const int fd = socket(AF_UNIX, type, 0);
  const sockaddr_un a = named(name);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&a), length(name)) == 0);
  return fd;
}

int connect_to(int type, const std::string& name, int fd = -1) {
  if (fd < 0) fd = socket(AF_UNIX, type, 0);
  const sockaddr_un a = named(name);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&a), length(name)) == 0);
  return fd;
}

std::string name_of(int fd) {
  sockaddr_un a{};
  socklen_t n = sizeof a;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n) == 0);
  std::string name(a.sun_path, n - offsetof(sockaddr_un, sun_path));
  return !name.empty() && name[0] ? std::string(name.c_str()) : name;
}

void put(int fd, const std::string& text) {
  REQUIRE(send(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
}

std::string get(int fd, size_t room = 1 << 20) {
  std::string text(room, '\0');
  const ssize_t n = recv(fd, text.data(), room, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN ? "(nothing)" : "(error " + std::to_string(errno) + ")";
  text.resize(static_cast<size_t>(n));
  return text;
}

std::string abstract(const std::string& tail) {
  return std::string(1, '\0') + "nsr-unit-" + std::to_string(getpid()) + tail;
}

/// Receives one message and its first descriptor.
std::pair<std::string, int> get_with_fd(int fd, size_t room = 4096) {
  char data[4096], control[256];
  iovec piece{data, room};
  msghdr h{};
  h.msg_iov = &piece, h.msg_iovlen = 1, h.msg_control = control, h.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
  REQUIRE(n >= 0);
  int right = -1;
  if (cmsghdr* c = CMSG_FIRSTHDR(&h); c && c->cmsg_type == SCM_RIGHTS) memcpy(&right, CMSG_DATA(c), sizeof right);
  return {std::string(data, static_cast<size_t>(n)), right};
}

void put_with_fd(int fd, const std::string& text, int right) {
  REQUIRE(send_packet(fd, text, &right, 1, nullptr, 0) == 0);
}

}  // namespace

TEST_CASE("unix: pairs of every type keep their data and its boundaries, and the dump leaves the queues alone") {
  NSR_NEEDS_ROOT;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Pair p(type);
    put(p.a, "one");
    put(p.a, "two!");
    put(p.a, std::string(100000, 'x'));
    put(p.b, "back");
    fake::TempDir dir;
    auto first = kinds();
    fake::Dump(dir.path, first).run({p.a, p.b});
    int peeked = -2;
    socklen_t n = sizeof peeked;
    REQUIRE(getsockopt(p.b, SOL_SOCKET, SO_PEEK_OFF, &peeked, &n) == 0);
    CHECK(peeked == -1);
    Round round({p.a, p.b});
    const int a = round.fds[0], b = round.fds[1];
    if (type == SOCK_STREAM) {
      CHECK(get(b) == "onetwo!" + std::string(100000, 'x'));
    } else {
      CHECK(get(b) == "one");
      CHECK(get(b) == "two!");
      CHECK(get(b) == std::string(100000, 'x'));
    }
    CHECK(get(b) == "(nothing)");
    CHECK(get(a) == "back");
    put(b, "on");
    CHECK(get(a) == "on");
  }
}

TEST_CASE("unix: empty messages are kept where the kernel shows them") {
  NSR_NEEDS_ROOT;
  const Pair p(SOCK_SEQPACKET);
  put(p.a, "x");
  put(p.a, "");
  put(p.a, "y");
  Round round({p.a, p.b});
  CHECK(get(round.fds[1]) == "x");
  CHECK(get(round.fds[1]).empty());
  CHECK(get(round.fds[1]) == "y");
}

TEST_CASE("unix: one end closed with data unread, and shutdown halves") {
  NSR_NEEDS_ROOT;
  const Pair gone(SOCK_STREAM), half(SOCK_STREAM), packets(SOCK_SEQPACKET);
  put(gone.a, "last words");
  close(gone.a);
  put(packets.a, "end");
  close(packets.a);
  REQUIRE(shutdown(half.a, SHUT_WR) == 0);
  Round round({gone.b, half.a, half.b, packets.b});
  CHECK(get(round.fds[0]) == "last words");
  CHECK(get(round.fds[0]).empty());
  CHECK(send(round.fds[0], "x", 1, MSG_NOSIGNAL) == -1);
  CHECK(errno == EPIPE);
  CHECK(send(round.fds[1], "x", 1, MSG_NOSIGNAL) == -1);
  CHECK(get(round.fds[2]).empty());
  put(round.fds[2], "still");
  CHECK(get(round.fds[1]) == "still");
  CHECK(get(round.fds[3]) == "end");
  CHECK(get(round.fds[3]).empty());
}

TEST_CASE("unix: descriptors in flight, also of sockets that hold descriptors in flight") {
  NSR_NEEDS_ROOT;
  const Pair p(SOCK_STREAM), inner(SOCK_STREAM), third(SOCK_DGRAM);
  put(third.a, "deepest");
  put_with_fd(inner.a, "i", third.b);
  put(p.a, "plain");
  put_with_fd(p.a, "with", inner.b);
  put(p.a, "after");
  close(inner.b);
  close(third.b);
  Round round({p.a, p.b, inner.a, third.a});
  CHECK(get(round.fds[1], 5) == "plain");
  const auto [text, right] = get_with_fd(round.fds[1]);
  CHECK(text.substr(0, 4) == "with");
  REQUIRE(right >= 0);
  const auto [inner_text, deep] = get_with_fd(right);
  CHECK(inner_text == "i");
  REQUIRE(deep >= 0);
  CHECK(get(deep) == "deepest");
  put(round.fds[2], "alive");
  CHECK(get(right) == "alive");
  close(right);
  close(deep);
}

TEST_CASE("unix: a listener with clients, accepted and waiting, under a path with its mode") {
  NSR_NEEDS_ROOT;
  fake::TempDir place;
  const std::string path = place.path + "/s.sock";
  const int listener = bound(SOCK_STREAM, path);
  REQUIRE(chmod(path.c_str(), 0741) == 0);
  REQUIRE(listen(listener, 7) == 0);
  const int client = connect_to(SOCK_STREAM, path);
  const int server = accept(listener, nullptr, nullptr);
  const int waiting = connect_to(SOCK_STREAM, path);
  put(client, "hello");
  Round round({client, server, waiting, listener});
  CHECK(get(round.fds[1]) == "hello");
  CHECK(name_of(round.fds[1]) == path);
  CHECK(name_of(round.fds[3]) == path);
  struct stat st {};
  REQUIRE(stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0741);
  const int second = accept(round.fds[3], nullptr, nullptr);
  REQUIRE(second >= 0);
  put(round.fds[2], "at last");
  CHECK(get(second) == "at last");
  ucred who{};
  socklen_t n = sizeof who;
  REQUIRE(getsockopt(round.fds[1], SOL_SOCKET, SO_PEERCRED, &who, &n) == 0);
  CHECK(who.pid == getpid());
  close(second);
  close(connect_to(SOCK_STREAM, path));
}

TEST_CASE("unix: abstract names, deleted names and names bound from another directory") {
  NSR_NEEDS_ROOT;
  fake::TempDir place;
  const std::string gone = place.path + "/gone";
  const int deleted = bound(SOCK_DGRAM, gone), hidden = bound(SOCK_DGRAM, abstract("a"));
  REQUIRE(unlink(gone.c_str()) == 0);
  char before[4096];
  REQUIRE(getcwd(before, sizeof before) != nullptr);
  REQUIRE(chdir(place.path.c_str()) == 0);
  const int relative = bound(SOCK_STREAM, "rel.sock");
  REQUIRE(chdir(before) == 0);
  REQUIRE(listen(relative, 3) == 0);
  Round round({deleted, hidden, relative});
  CHECK(name_of(round.fds[0]) == gone);
  CHECK(access(gone.c_str(), F_OK) != 0);
  CHECK(name_of(round.fds[1]) == abstract("a"));
  CHECK(name_of(round.fds[2]) == "rel.sock");
  close(connect_to(SOCK_STREAM, place.path + "/rel.sock"));
}

TEST_CASE("unix: datagrams keep their senders' names") {
  NSR_NEEDS_ROOT;
  const int receiver = bound(SOCK_DGRAM, abstract("r")), sender = bound(SOCK_DGRAM, abstract("s")),
            plain = socket(AF_UNIX, SOCK_DGRAM, 0);
  connect_to(SOCK_DGRAM, abstract("r"), sender);
  connect_to(SOCK_DGRAM, abstract("r"), plain);
  put(sender, "named");
  put(plain, "unnamed");
  Round round({receiver, sender, plain});
  sockaddr_un from{};
  socklen_t n = sizeof from;
  char text[16];
  REQUIRE(recvfrom(round.fds[0], text, sizeof text, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &n) == 5);
  CHECK(std::string(from.sun_path, n - offsetof(sockaddr_un, sun_path)) == abstract("s"));
  CHECK(get(round.fds[0]) == "unnamed");
  put(round.fds[1], "again");
  CHECK(get(round.fds[0]) == "again");
}

TEST_CASE("unix: a peer outside is refused with the option that helps, and reached by name with it") {
  NSR_NEEDS_ROOT;
  const std::string log = abstract("log");
  const int outside = bound(SOCK_DGRAM, log), inside = connect_to(SOCK_DGRAM, log);
  fake::TempDir dir;
  auto some = kinds();
  CHECK_THROWS_WITH(fake::Dump(dir.path, some).run({inside}),
                    Catch::Contains("--external unix[") && Catch::Contains(log.substr(1)));
  FileOptions options;
  options.ext_unix_sk = true;
  Round round({inside}, options);
  put(round.fds[0], "to the log");
  CHECK(get(outside) == "to the log");
  close(outside);
}

TEST_CASE("unix: --inherit-fd stands in for a connection to the outside") {
  NSR_NEEDS_ROOT;
  const Pair p(SOCK_STREAM), fresh(SOCK_STREAM);
  struct stat st {};
  REQUIRE(fstat(p.a, &st) == 0);
  FileOptions options;
  options.external.push_back("unix[" + std::to_string(st.st_ino) + "]");
  options.inherit_fd["socket:[" + std::to_string(st.st_ino) + "]"] = fresh.a;
  Round round({p.a}, options);
  put(round.fds[0], "new way");
  CHECK(get(fresh.b) == "new way");
  close(p.b), close(fresh.a), close(fresh.b);
}

TEST_CASE("unix: credentials of messages and peers survive") {
  NSR_NEEDS_ROOT;
  const Pair p(SOCK_STREAM);
  const int on = 1;
  REQUIRE(setsockopt(p.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  put(p.a, "who");
  Round round({p.a, p.b});
  char control[256], data[16];
  iovec piece{data, sizeof data};
  msghdr h{};
  h.msg_iov = &piece, h.msg_iovlen = 1, h.msg_control = control, h.msg_controllen = sizeof control;
  REQUIRE(recvmsg(round.fds[1], &h, MSG_DONTWAIT) == 3);
  cmsghdr* c = CMSG_FIRSTHDR(&h);
  REQUIRE(c != nullptr);
  REQUIRE(c->cmsg_type == SCM_CREDENTIALS);
  ucred who;
  memcpy(&who, CMSG_DATA(c), sizeof who);
  CHECK(who.pid == getpid());
}

TEST_CASE("peek offset: it is put right before the tasks run when the engine is killed while it peeks") {
  const Pair p(SOCK_STREAM);
  put(p.a, "abcdef");
  const int untouched = -1, own = 2;
  for (const int before : {untouched, own}) {
    const Pair parking(SOCK_STREAM);
    REQUIRE(setsockopt(p.b, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof before) == 0);
    const pid_t engine = fork();
    if (engine == 0) {
      close(parking.b);
      PeekGuard guard({parking.a});
      const PeekOffset offset(p.b, &guard);
      char text[4];
      if (recv(p.b, text, sizeof text, MSG_PEEK) == 4 && offset.get() == 4) kill(getpid(), SIGKILL);
      _exit(1);
    }
    close(parking.a);
    int status = 0, now = 0;
    REQUIRE(waitpid(engine, &status, 0) == engine);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    // What the tasks of a tree wait for.
    REQUIRE(read(parking.b, &now, 1) == 0);
    socklen_t size = sizeof now;
    REQUIRE(getsockopt(p.b, SOL_SOCKET, SO_PEEK_OFF, &now, &size) == 0);
    CHECK(now == before);
    close(parking.b);
  }
  close(p.a), close(p.b);
}
