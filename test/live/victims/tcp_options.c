// Every option of TCP connections that can be read and set, IPv4 and IPv6, both ends in the tree, with the connections
// still good afterwards.
// engine: --tcp-established
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "socket_options.h"

static void join(int family, int ends[2]) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr* address = family == AF_INET ? (struct sockaddr*)&four : (struct sockaddr*)&six;
  socklen_t size = family == AF_INET ? sizeof four : sizeof six;
  const int listener = socket(family, SOCK_STREAM, 0);
  ends[0] = socket(family, SOCK_STREAM, 0);
  MUST(bind(listener, address, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, address, &size) == 0);
  MUST(connect(ends[0], address, size) == 0);
  ends[1] = accept(listener, NULL, NULL);
  MUST(ends[1] >= 0);
  close(listener);
}

static int segment_size(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  MUST(getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &size, &length) == 0);
  return size;
}

// What says nothing about the connection: the multicast options of an accepted socket are those of its first packet,
// and a socket that is bound to its address speaks IPv6 only.
static const struct option_name not_compared[] = {
    {IPPROTO_IP, IP_MULTICAST_TTL}, {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}, {IPPROTO_IPV6, IPV6_MULTICAST_IF},
    {IPPROTO_IPV6, IPV6_V6ONLY},    {IPPROTO_TCP, TCP_MAXSEG},
};

static void talk(int from, int to) {
  char got[8] = "";
  CHECK(write(from, "hello", 5) == 5);
  CHECK(recv(to, got, 5, MSG_WAITALL) == 5 && strcmp(got, "hello") == 0, "got %s", got);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  enum { kPairs = 4 };
  static struct socket_options before[kPairs][2];
  int ends[kPairs][2], size[kPairs][2];
  for (int i = 0; i < kPairs; i++) {
    join(i % 2 ? AF_INET6 : AF_INET, ends[i]);
    talk(ends[i][0], ends[i][1]);
    for (int end = 0; end < 2; end++) {
      const int fd = ends[i][end], none = 0;
      if (i >= 2) {
        MUST(options_stir(fd) > 5);
        MUST(setsockopt(fd, SOL_SOCKET, 62, &none, sizeof none) == 0);  // SO_BINDTOIFINDEX
      }
      options_read(fd, &before[i][end]);
      for (size_t k = 0; k < sizeof not_compared / sizeof *not_compared; k++)
        options_forget(&before[i][end], not_compared[k].level, not_compared[k].name);
      size[i][end] = segment_size(fd);
    }
  }

  victim_ready();

  for (int i = 0; i < kPairs; i++) {
    for (int end = 0; end < 2; end++) {
      options_compare(ends[i][end], &before[i][end], end ? "server" : "client");
      // The room for a timestamp may be counted otherwise.
      CHECK(segment_size(ends[i][end]) > size[i][end] - 40, "%d bytes, were %d", segment_size(ends[i][end]),
            size[i][end]);
    }
    talk(ends[i][0], ends[i][1]);
    talk(ends[i][1], ends[i][0]);
  }
  return victim_done();
}
