// Listening TCP sockets, IPv4 and IPv6: address, backlog, options; they accept after the restore, also in a child that
// shares one.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "victim.h"

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  if (getsockopt(fd, level, name, &value, &size) != 0) return -errno;
  return value;
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static void talk(int listener, const struct sockaddr* address, socklen_t size) {
  int client = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(connect(client, address, size) == 0);
  int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  CHECK(server >= 0);
  char text[8] = "";
  CHECK(write(client, "ping", 4) == 4 && read(server, text, 4) == 4 && strcmp(text, "ping") == 0);
  close(client);
  close(server);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, four_now;
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t size = sizeof four;
  int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  MUST(a >= 0);
  set(a, SOL_SOCKET, SO_REUSEADDR, 1);
  set(a, IPPROTO_TCP, TCP_NODELAY, 1);
  set(a, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(a, IPPROTO_TCP, TCP_KEEPIDLE, 77);
  MUST(bind(a, (struct sockaddr*)&four, sizeof four) == 0 && listen(a, 33) == 0);
  MUST(getsockname(a, (struct sockaddr*)&four, &size) == 0);
  bool has_six = b >= 0;
  if (has_six) {
    set(b, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    has_six = bind(b, (struct sockaddr*)&six, sizeof six) == 0;
    if (has_six)
      MUST(listen(b, 5) == 0);
    else
      close(b);
    size = sizeof six;
    if (has_six) MUST(getsockname(b, (struct sockaddr*)&six, &size) == 0);
  }
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    talk(a, (struct sockaddr*)&four, sizeof four);
    victim_child_done();
  }

  victim_ready();

  size = sizeof four_now;
  CHECK(getsockname(a, (struct sockaddr*)&four_now, &size) == 0);
  CHECK_EQ(four_now.sin_port, four.sin_port);
  CHECK_EQ(four_now.sin_addr.s_addr, four.sin_addr.s_addr);
  CHECK_EQ(option(a, SOL_SOCKET, SO_ACCEPTCONN), 1);
  CHECK_EQ(option(a, SOL_SOCKET, SO_REUSEADDR), 1);
  CHECK_EQ(option(a, IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQ(option(a, SOL_SOCKET, SO_KEEPALIVE), 1);
  CHECK_EQ(option(a, IPPROTO_TCP, TCP_KEEPIDLE), 77);
  struct tcp_info info;
  size = sizeof info;
  CHECK(getsockopt(a, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK_EQ(info.tcpi_sacked, 33);  // of a listening socket: the backlog
  talk(a, (struct sockaddr*)&four, sizeof four);
  victim_join(child);
  if (has_six) {
    CHECK_EQ(option(b, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK_EQ(fcntl(b, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
    CHECK(accept(b, NULL, NULL) == -1 && errno == EAGAIN);
    talk(b, (struct sockaddr*)&six, sizeof six);
  }
  return victim_done();
}
