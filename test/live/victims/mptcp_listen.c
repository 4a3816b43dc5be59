// Sockets of multipath TCP that are not connected: new, bound, listening on IPv4 and IPv6, with options. Programs in Go
// listen so. Clients without it get in, before and after; the connection of such a one is of plain TCP.
// engine: --tcp-established
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "victim.h"

enum { MPTCP = 262 };

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

static int make(int family) {
  const int fd = socket(family, SOCK_STREAM, MPTCP);
  if (fd < 0) victim_skip("a kernel without multipath TCP");
  return fd;
}

static int at_loopback(int family, int backlog) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const int fd = make(family), on = 1;
  MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  MUST(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
  MUST(family == AF_INET ? bind(fd, (struct sockaddr*)&four, sizeof four) == 0
                         : bind(fd, (struct sockaddr*)&six, sizeof six) == 0);
  if (backlog) MUST(listen(fd, backlog) == 0);
  return fd;
}

struct ends {
  int client, server;
};

static struct ends join(int listener, int protocol) {
  struct sockaddr_storage a;
  socklen_t size = sizeof a;
  CHECK(getsockname(listener, (struct sockaddr*)&a, &size) == 0);
  struct ends e = {socket(a.ss_family, SOCK_STREAM, protocol), -1};
  CHECK(connect(e.client, (struct sockaddr*)&a, size) == 0);
  CHECK((e.server = accept(listener, NULL, NULL)) >= 0);
  return e;
}

static void talk(struct ends e) {
  char got[8] = "";
  CHECK(write(e.client, "ping", 4) == 4 && read(e.server, got, 4) == 4 && strcmp(got, "ping") == 0);
  CHECK(write(e.server, "pong", 4) == 4 && read(e.client, got, 4) == 4 && strcmp(got, "pong") == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int four = at_loopback(AF_INET, 9), six = at_loopback(AF_INET6, 5), bound = at_loopback(AF_INET, 0),
            fresh = make(AF_INET6);
  const struct ends plain = join(four, 0);
  MUST(option(plain.server, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);

  victim_ready();

  talk(plain);
  const int all[] = {four, six, bound, fresh};
  for (int i = 0; i < 4; i++) CHECK_EQ(option(all[i], SOL_SOCKET, SO_PROTOCOL), MPTCP);
  for (int i = 0; i < 3; i++)
    CHECK(option(all[i], SOL_SOCKET, SO_REUSEADDR) == 1 && option(all[i], SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(four, SOL_SOCKET, SO_ACCEPTCONN) == 1 && option(bound, SOL_SOCKET, SO_ACCEPTCONN) == 0);
  struct tcp_info info;
  socklen_t size = sizeof info;
  CHECK(getsockopt(four, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_sacked == 9, "backlog %u",
        info.tcpi_sacked);
  talk(join(four, 0)), talk(join(six, 0)), talk(join(six, MPTCP));
  CHECK(listen(bound, 1) == 0);
  talk(join(bound, 0));
  return victim_done();
}
