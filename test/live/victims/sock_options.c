// Every option of every kind of socket that can be read and set, each moved away from its default: TCP (new, bound,
// listening), UDP, UDP-Lite, raw, ping, UNIX, netlink, packet.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/time.h>

#include "socket_options.h"

struct kind {
  const char* what;
  int family, type, protocol;
  enum { plain, bound, listening, paired } how;
};

static const struct kind kinds[] = {
    {"TCP", AF_INET, SOCK_STREAM, 0, plain},
    {"TCP bound", AF_INET, SOCK_STREAM, 0, bound},
    {"TCP listening", AF_INET, SOCK_STREAM, 0, listening},
    {"TCPv6", AF_INET6, SOCK_STREAM, 0, plain},
    {"TCPv6 listening", AF_INET6, SOCK_STREAM, 0, listening},
    {"UDP", AF_INET, SOCK_DGRAM, 0, plain},
    {"UDP bound", AF_INET, SOCK_DGRAM, 0, bound},
    {"UDPv6", AF_INET6, SOCK_DGRAM, 0, plain},
    {"UDPv6 bound", AF_INET6, SOCK_DGRAM, 0, bound},
    {"UDP-Lite", AF_INET, SOCK_DGRAM, 136, bound},
    {"UDP-Litev6", AF_INET6, SOCK_DGRAM, 136, bound},
    {"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP, plain},
    {"raw UDP", AF_INET, SOCK_RAW, 200, bound},
    {"rawv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, plain},
    {"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, plain},
    {"pingv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, plain},
    {"UNIX stream", AF_UNIX, SOCK_STREAM, 0, plain},
    {"UNIX stream pair", AF_UNIX, SOCK_STREAM, 0, paired},
    {"UNIX datagram", AF_UNIX, SOCK_DGRAM, 0, plain},
    {"UNIX datagram pair", AF_UNIX, SOCK_DGRAM, 0, paired},
    {"UNIX packet pair", AF_UNIX, SOCK_SEQPACKET, 0, paired},
    {"netlink", AF_NETLINK, SOCK_RAW, 0, plain},
    {"netlink uevent", AF_NETLINK, SOCK_DGRAM, 15, plain},
    {"packet", AF_PACKET, SOCK_RAW, 0, plain},
    {"packet cooked", AF_PACKET, SOCK_DGRAM, 0, plain},
};
enum { kKinds = sizeof kinds / sizeof *kinds };

static int make(const struct kind* k, bool stirred) {
  int fd = -1, pair[2];
  if (k->how == paired) {
    MUST(socketpair(k->family, k->type, 0, pair) == 0);
    fd = pair[0];
  } else {
    fd = socket(k->family, k->type, k->protocol);
  }
  if (fd < 0) return -1;
  if (stirred) {
    MUST(options_stir(fd) > 5);
    const struct timeval in = {3, 500000}, out = {4, 250000};
    const struct linger wait = {1, 12};
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in) == 0);
    MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out) == 0);
    MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait) == 0);
    const int none = 0;  // a device would decide what can be reached
    setsockopt(fd, SOL_SOCKET, 62, &none, sizeof none);
  }
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (k->how == bound || k->how == listening) {
    if (k->family == AF_INET) MUST(bind(fd, (struct sockaddr*)&four, sizeof four) == 0);
    if (k->family == AF_INET6) MUST(bind(fd, (struct sockaddr*)&six, sizeof six) == 0);
  }
  if (k->how == listening) MUST(listen(fd, 7) == 0);
  return fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static struct socket_options before[kKinds][2];
  int fds[kKinds][2];
  for (int i = 0; i < kKinds; i++)
    for (int stirred = 0; stirred < 2; stirred++) {
      fds[i][stirred] = make(&kinds[i], stirred);
      if (fds[i][stirred] >= 0) options_read(fds[i][stirred], &before[i][stirred]);
    }

  victim_ready();

  for (int i = 0; i < kKinds; i++)
    for (int stirred = 0; stirred < 2; stirred++)
      if (fds[i][stirred] >= 0) options_compare(fds[i][stirred], &before[i][stirred], kinds[i].what);
  return victim_done();
}
