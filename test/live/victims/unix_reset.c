// UNIX sockets whose other end was closed with data that it had not read: what it had sent before, then the reset, then
// the end. Streams and sequenced packets, a pair and an accepted connection.
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static void expect_reset(int fd, bool data, const char* what) {
  char got[16] = "";
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLERR | POLLHUP), "%s: %x", what, p.revents);
  if (data) CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) == 5 && strcmp(got, "first") == 0, "%s: %s", what, got);
  CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) == -1 && errno == ECONNRESET, "%s", what);
  CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) == 0, "%s", what);
  CHECK(send(fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "%s", what);
}

static int leave(int fd, int other, bool data) {
  if (data) MUST(send(other, "first", 5, 0) == 5);
  MUST(send(fd, "unread", 6, 0) == 6 && close(other) == 0);
  return fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int stream[2], packets[2], told[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, told) == 0);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                     (size_t)snprintf(a.sun_path + 1, 60, "nsr-reset-%d", (int)getpid()));
  MUST(bind(listener, (struct sockaddr*)&a, size) == 0 && listen(listener, 1) == 0);
  MUST(connect(client, (struct sockaddr*)&a, size) == 0);
  const int accepted = leave(accept(listener, NULL, NULL), client, true);
  leave(stream[0], stream[1], true), leave(packets[0], packets[1], false), leave(told[0], told[1], true);
  char got[8];
  MUST(recv(told[0], got, 5, 0) == 5 && recv(told[0], got, 5, 0) == -1 && errno == ECONNRESET);

  victim_ready();

  expect_reset(stream[0], true, "stream");
  expect_reset(packets[0], false, "packets");
  expect_reset(accepted, true, "accepted");
  CHECK(recv(told[0], got, 5, MSG_DONTWAIT) == 0);
  return victim_done();
}
