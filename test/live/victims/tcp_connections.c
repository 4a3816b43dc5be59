// TCP connections with both ends in the tree: IPv4, IPv6, v4-mapped; megabytes in both queues, one half closed, a child
// on the other side.
// engine: --tcp-established
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "victim.h"

enum { CHUNK = 50000, LIMIT = 64 << 20 };

static unsigned char byte_at(size_t i) { return (unsigned char)((i * 2654435761u) >> 11); }

struct ends {
  int client, server;
};

static struct ends join(int family, struct in6_addr host) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = host};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr* address = family == AF_INET ? (struct sockaddr*)&four : (struct sockaddr*)&six;
  socklen_t size = family == AF_INET ? sizeof four : sizeof six;
  int listener = socket(family, SOCK_STREAM, 0);
  struct ends e = {socket(family, SOCK_STREAM, 0), -1};
  MUST(bind(listener, address, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, address, &size) == 0);
  MUST(connect(e.client, address, size) == 0);
  e.server = accept(listener, NULL, NULL);
  MUST(e.server >= 0);
  close(listener);
  return e;
}

static size_t fill(int fd) {
  unsigned char buffer[CHUNK];
  size_t sent = 0;
  MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  while (sent < LIMIT) {
    for (size_t i = 0; i < CHUNK; i++) buffer[i] = byte_at(sent + i);
    ssize_t n = write(fd, buffer, CHUNK);
    if (n < 0) break;
    sent += (size_t)n;
  }
  MUST(fcntl(fd, F_SETFL, 0) == 0);
  return sent;
}

static void drain(int fd, size_t wanted) {
  unsigned char buffer[CHUNK];
  for (size_t at = 0; at < wanted;) {
    ssize_t n = read(fd, buffer, wanted - at < CHUNK ? wanted - at : CHUNK);
    CHECK(n > 0, "after %zu of %zu bytes: %zd", at, wanted, n);
    if (n <= 0) return;
    for (ssize_t i = 0; i < n; i++)
      if (buffer[i] != byte_at(at + (size_t)i)) {
        CHECK(false, "byte %zu differs", at + (size_t)i);
        return;
      }
    at += (size_t)n;
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
  struct ends all[] = {join(AF_INET, mapped), join(AF_INET6, in6addr_loopback), join(AF_INET6, mapped)};
  struct ends half = join(AF_INET, mapped);
  int on = 1;
  MUST(setsockopt(all[0].client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 3; i++) close(all[i].client);
    victim_wait();
    char text[16];
    for (int i = 0; i < 3; i++) {
      size_t wanted = 0;
      CHECK(read(all[i].server, text, 3) == 3 && memcmp(text, "go\n", 3) == 0);
      CHECK(read(all[i].server, &wanted, sizeof wanted) == sizeof wanted);
      drain(all[i].server, wanted);
      CHECK(write(all[i].server, "all of it", 9) == 9);
    }
    victim_child_done();
  }
  size_t sent[3];
  for (int i = 0; i < 3; i++) {
    close(all[i].server);
    MUST(write(all[i].client, "go\n", 3) == 3);
    sent[i] = 3 << 20;
    MUST(write(all[i].client, &sent[i], sizeof sent[i]) == sizeof sent[i]);
  }
  size_t queued = fill(half.client);
  MUST(shutdown(half.client, SHUT_WR) == 0);

  victim_ready();

  struct tcp_info info;
  socklen_t size = sizeof info;
  CHECK(getsockopt(half.client, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_FIN_WAIT1,
        "state %d", info.tcpi_state);
  drain(half.server, queued);
  char end;
  CHECK_EQ(read(half.server, &end, 1), 0);
  CHECK(write(half.server, "back", 4) == 4);
  char text[16] = "";
  CHECK(read(half.client, text, 4) == 4 && strcmp(text, "back") == 0);
  int value = 0;
  size = sizeof value;
  CHECK(getsockopt(all[0].client, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0 && value == 1);
  victim_go(child);
  unsigned char* data = malloc(3 << 20);
  for (size_t i = 0; i < 3 << 20; i++) data[i] = byte_at(i);
  for (int i = 0; i < 3; i++) {
    for (size_t at = 0; at < sent[i];) {
      ssize_t n = write(all[i].client, data + at, sent[i] - at);
      CHECK(n > 0);
      if (n <= 0) break;
      at += (size_t)n;
    }
    memset(text, 0, sizeof text);
    CHECK(read(all[i].client, text, 9) == 9 && strcmp(text, "all of it") == 0, "got %s", text);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0, "child 0x%x", status);
  return victim_done();
}
