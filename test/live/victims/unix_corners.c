// Corners of UNIX sockets: several senders to one datagram socket, one-way connections, a socket in its own queue, a
// name in use twice, credentials and pid descriptors asked for, peek offsets, descriptors with empty data, half-closed
// pairs with data left, a full queue, out-of-band data, listeners that nobody accepts from.
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static struct sockaddr_un to;
static socklen_t to_size;

static void named(const char* name) {
  memset(&to, 0, sizeof to);
  to.sun_family = AF_UNIX;
  const int n = snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "nsr-corner-%d-%s", (int)getpid(), name);
  to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int bound(int type, const char* name) {
  const int fd = socket(AF_UNIX, type, 0);
  named(name);
  MUST(bind(fd, (struct sockaddr*)&to, to_size) == 0);
  return fd;
}

static void expect(int fd, const char* text) {
  char got[64] = "";
  const ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
  CHECK(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "wanted %s, got %zd: %s", text, n, got);
}

static void set(int fd, int name, int value) { MUST(setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0); }

static void send_fd(int over, int fd, const char* text) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec piece = {(void*)text, strlen(text)};
  struct msghdr h = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* c = CMSG_FIRSTHDR(&h);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  MUST(sendmsg(over, &h, 0) == (ssize_t)strlen(text));
}

// The descriptor that comes with the next message, -1 for none; its sender's pid in *pid.
static int receive(int fd, const char* wanted, pid_t* pid) {
  char text[64] = "", control[512];
  int got = -1;
  struct iovec piece = {text, sizeof text - 1};
  struct msghdr h = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
  CHECK(n == (ssize_t)strlen(wanted) && strcmp(text, wanted) == 0, "wanted %s, got %zd: %s", wanted, n, text);
  for (struct cmsghdr* c = n >= 0 ? CMSG_FIRSTHDR(&h) : NULL; c; c = CMSG_NXTHDR(&h, c)) {
    if (c->cmsg_type == SCM_RIGHTS) memcpy(&got, CMSG_DATA(c), sizeof got);
    if (c->cmsg_type == SCM_CREDENTIALS && pid) *pid = ((struct ucred*)CMSG_DATA(c))->pid;
  }
  return got;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  // Three senders, one of them with a name, to one receiver.
  const int sink = bound(SOCK_DGRAM, "sink");
  const int a = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0), b = bound(SOCK_DGRAM, "b");
  named("sink");
  MUST(connect(a, (struct sockaddr*)&to, to_size) == 0 && connect(b, (struct sockaddr*)&to, to_size) == 0);
  MUST(write(a, "from a", 6) == 6 && write(b, "from b", 6) == 6);
  MUST(sendto(c, "from c", 6, 0, (struct sockaddr*)&to, to_size) == 6);
  // The receiver is connected to b only, which is connected to somebody else by now.
  const int other = bound(SOCK_DGRAM, "other");
  named("other");
  MUST(connect(b, (struct sockaddr*)&to, to_size) == 0);

  // A socket in its own queue, and a pair each end of which waits in the other's queue.
  int self[2], cross[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, self) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, cross) == 0);
  send_fd(self[0], self[1], "me");
  send_fd(cross[0], cross[0], "x"), send_fd(cross[1], cross[1], "y");

  // Credentials of a child that has gone, wanted by the receiver.
  int cred[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, cred) == 0);
  set(cred[1], SO_PASSCRED, 1);
  MUST(write(cred[0], "mine", 4) == 4);

  // A peek offset in the middle of the queue; data that was peeked at.
  int peeked[2];
  char text[16];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, peeked) == 0 && write(peeked[0], "abcdefgh", 8) == 8);
  set(peeked[1], SO_PEEK_OFF, 3);
  MUST(recv(peeked[1], text, 2, MSG_PEEK) == 2 && memcmp(text, "de", 2) == 0);

  // Half closed in both senses, with data left.
  int half[2], both[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, both) == 0);
  MUST(write(half[0], "left", 4) == 4 && shutdown(half[0], SHUT_WR) == 0);
  MUST(write(half[1], "right", 5) == 5);
  MUST(write(both[0], "one", 3) == 3 && write(both[0], "two", 3) == 3 && shutdown(both[0], SHUT_RDWR) == 0);

  // A queue that is full: the writer finds no room.
  int full[2];
  static char block[1000];
  size_t written = 0;
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, full) == 0);
  set(full[0], SO_SNDBUF, 20000);
  for (ssize_t n; (n = write(full[0], block, sizeof block)) > 0;) written += (size_t)n;

  // Datagrams up to the limit of the receiver's queue.
  int crowd[2], packets = 0;
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, crowd) == 0);
  while (write(crowd[0], &packets, sizeof packets) == sizeof packets) packets++;

  // Empty datagrams count.
  int empty[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, empty) == 0);
  MUST(send(empty[0], "", 0, 0) == 0 && send(empty[0], "then", 4, 0) == 4 && send(empty[0], "", 0, 0) == 0);

  // A listener with clients that wait; one of them has shut down its half.
  const int listener = bound(SOCK_STREAM, "listener");
  MUST(listen(listener, 5) == 0);
  named("listener");
  const int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
  MUST(connect(first, (struct sockaddr*)&to, to_size) == 0 && connect(second, (struct sockaddr*)&to, to_size) == 0);

  // Bound, but nothing else; never bound.
  const int lonely = bound(SOCK_STREAM, "lonely"), fresh = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  victim_ready();

  expect(sink, "from a"), expect(sink, "from b"), expect(sink, "from c");
  CHECK(write(a, "again", 5) == 5 && write(b, "elsewhere", 9) == 9);
  expect(sink, "again"), expect(other, "elsewhere");

  const int me = receive(self[1], "me", NULL);
  CHECK(me >= 0 && write(self[0], "loop", 4) == 4);
  expect(me, "loop");
  const int x = receive(cross[1], "x", NULL), y = receive(cross[0], "y", NULL);
  CHECK(x >= 0 && y >= 0 && write(x, "over", 4) == 4);
  expect(y, "over");

  pid_t pid = 0;
  receive(cred[1], "mine", &pid);
  CHECK_EQ(pid, getpid());

  CHECK(recv(peeked[1], text, 2, MSG_PEEK) == 2 && memcmp(text, "fg", 2) == 0, "peeked %.2s", text);
  set(peeked[1], SO_PEEK_OFF, -1);
  expect(peeked[1], "abcdefgh");

  expect(half[1], "left"), expect(half[1], ""), expect(half[0], "right");
  expect(both[1], "one"), expect(both[1], "two"), expect(both[1], "");
  CHECK(send(both[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);

  // There may be more room than before: pieces of a stream are put back as larger ones.
  int waiting = 0;
  CHECK(ioctl(full[1], FIONREAD, &waiting) == 0);
  CHECK_EQ(waiting, written);

  for (int i = 0, n; i < packets; i++) CHECK(read(crowd[1], &n, sizeof n) == sizeof n && n == i, "packet %d", i);

  CHECK(recv(empty[1], text, sizeof text, MSG_DONTWAIT) == 0);
  expect(empty[1], "then");
  CHECK(recv(empty[1], text, sizeof text, MSG_DONTWAIT) == 0);
  CHECK(recv(empty[1], text, sizeof text, MSG_DONTWAIT) == -1 && errno == EAGAIN);

  const int p = accept(listener, NULL, NULL), q = accept(listener, NULL, NULL);
  CHECK(write(first, "1", 1) == 1 && write(second, "2", 1) == 1);
  expect(p, "1"), expect(q, "2");

  struct sockaddr_un name;
  socklen_t size = sizeof name;
  named("lonely");
  CHECK(getsockname(lonely, (struct sockaddr*)&name, &size) == 0 && size == to_size && memcmp(&name, &to, size) == 0);
  CHECK_EQ(fcntl(fresh, F_GETFD), FD_CLOEXEC);
  int type = 0;
  size = sizeof type;
  CHECK(getsockopt(fresh, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET);
  return victim_done();
}
