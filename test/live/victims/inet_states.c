// IP sockets in states that need more than an address: raw and ping sockets that are connected, ports shared by
// SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY and by address, a listener that was shut down, addresses without a port,
// addresses that no interface has, a device, groups with sources, a socket that may only receive.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static struct sockaddr_in v4(const char* text, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  MUST(inet_pton(AF_INET, text, &a.sin_addr) == 1);
  return a;
}

static struct sockaddr_in6 v6(const char* text, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  MUST(inet_pton(AF_INET6, text, &a.sin6_addr) == 1);
  return a;
}

static int port_of(int fd) {
  struct sockaddr_in6 a;
  socklen_t size = sizeof a;
  CHECK(getsockname(fd, (struct sockaddr*)&a, &size) == 0);
  return ntohs(a.sin6_port);
}

// Bound; `how`, when not 0, is SO_REUSEADDR or SO_REUSEPORT.
static int bound(int type, const char* address, int port, int how) {
  const struct sockaddr_in a = v4(address, port);
  const int fd = socket(AF_INET, type, 0);
  if (how) set(fd, SOL_SOCKET, how, 1);
  MUST(bind(fd, (const struct sockaddr*)&a, sizeof a) == 0);
  return fd;
}

static int listening(const char* address, int port, int how) {
  const int fd = bound(SOCK_STREAM, address, port, how);
  MUST(listen(fd, 5) == 0);
  return fd;
}

static void reach(int listener, const struct sockaddr* a, socklen_t size) {
  const int client = socket(a->sa_family, SOCK_STREAM, 0);
  CHECK(connect(client, a, size) == 0);
  const int server = accept(listener, NULL, NULL);
  CHECK(server >= 0);
  close(client), close(server);
}

// What a raw socket sends comes back to it, behind an IP header with IPv4.
static void echo(int fd, ssize_t wanted) {
  char text[64];
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(send(fd, "raw", 3, 0) == 3);
  CHECK(poll(&p, 1, 5000) == 1 && recv(fd, text, sizeof text, MSG_DONTWAIT) == wanted);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const struct sockaddr_in here = v4("127.0.0.1", 0), nowhere = v4("203.0.113.7", 0);
  const struct sockaddr_in6 here6 = v6("::1", 0);
  const int raw = socket(AF_INET, SOCK_RAW, 253), raw6 = socket(AF_INET6, SOCK_RAW, 253),
            far = socket(AF_INET, SOCK_RAW, 254);
  MUST(connect(raw, (const struct sockaddr*)&here, sizeof here) == 0);
  MUST(bind(raw6, (const struct sockaddr*)&here6, sizeof here6) == 0 &&
       connect(raw6, (const struct sockaddr*)&here6, sizeof here6) == 0);
  MUST(bind(far, (const struct sockaddr*)&here, sizeof here) == 0);
  const int ping = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);  // only for the groups of a sysctl
  if (ping >= 0) MUST(connect(ping, (const struct sockaddr*)&here, sizeof here) == 0);

  const int any = bound(SOCK_DGRAM, "0.0.0.0", 0, SO_REUSEADDR), udp = port_of(any),
            more = bound(SOCK_DGRAM, "0.0.0.0", udp, SO_REUSEADDR);
  const int wild = listening("0.0.0.0", 0, 0), tcp = port_of(wild), six = socket(AF_INET6, SOCK_STREAM, 0);
  const struct sockaddr_in6 any6 = v6("::", tcp);
  set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  MUST(bind(six, (const struct sockaddr*)&any6, sizeof any6) == 0 && listen(six, 5) == 0);
  const int second = listening("127.0.0.2", 0, 0), third = listening("127.0.0.3", port_of(second), 0),
            both = port_of(second);
  int group[3] = {listening("127.0.0.1", 0, SO_REUSEPORT)};
  for (int i = 1; i < 3; i++) group[i] = listening("127.0.0.1", port_of(group[0]), SO_REUSEPORT);
  const int shared = port_of(group[0]);

  const int shut = listening("127.0.0.1", 0, 0), address = socket(AF_INET, SOCK_STREAM, 0);
  MUST(shutdown(shut, SHUT_RDWR) == 0);
  set(address, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  MUST(bind(address, (const struct sockaddr*)&here, sizeof here) == 0);
  const int freed = socket(AF_INET, SOCK_STREAM, 0), transparent = socket(AF_INET, SOCK_DGRAM, 0);
  set(freed, IPPROTO_IP, IP_FREEBIND, 1), set(transparent, IPPROTO_IP, IP_TRANSPARENT, 1);
  MUST(bind(freed, (const struct sockaddr*)&nowhere, sizeof nowhere) == 0 && listen(freed, 5) == 0);
  MUST(bind(transparent, (const struct sockaddr*)&nowhere, sizeof nowhere) == 0);
  const int free_port = port_of(freed), transparent_port = port_of(transparent);
  const int device = socket(AF_INET, SOCK_DGRAM, 0), mute = bound(SOCK_DGRAM, "127.0.0.1", 0, 0);
  MUST(setsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
  const struct sockaddr_in to = v4("127.0.0.1", udp);
  MUST(connect(mute, (const struct sockaddr*)&to, sizeof to) == 0 && shutdown(mute, SHUT_WR) == 0);

  // A disconnected socket has given its port back, and kept its address.
  const int parted = bound(SOCK_DGRAM, "127.0.0.1", 0, 0);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  MUST(connect(parted, (const struct sockaddr*)&to, sizeof to) == 0 && connect(parted, &none, sizeof none) == 0 &&
       port_of(parted) == 0);

  const int groups = socket(AF_INET, SOCK_DGRAM, 0), groups6 = socket(AF_INET6, SOCK_DGRAM, 0);
  const struct ip_mreq_source source = {
      .imr_multiaddr = {htonl(0xe8010203)}, .imr_interface = here.sin_addr, .imr_sourceaddr = here.sin_addr};
  struct group_source_req source6 = {.gsr_interface = 1};
  const struct sockaddr_in6 group6 = v6("ff35::99", 0);
  memcpy(&source6.gsr_group, &group6, sizeof group6), memcpy(&source6.gsr_source, &here6, sizeof here6);
  MUST(setsockopt(groups, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source, sizeof source) == 0);
  MUST(setsockopt(groups6, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &source6, sizeof source6) == 0);

  victim_ready();

  echo(raw, 23), echo(raw6, 3);
  CHECK(send(far, "raw", 3, 0) == -1 && errno == EDESTADDRREQ);
  if (ping >= 0) {
    struct icmphdr request = {.type = ICMP_ECHO};
    struct pollfd p = {ping, POLLIN, 0};
    CHECK(send(ping, &request, sizeof request, 0) == sizeof request && poll(&p, 1, 5000) == 1);
    CHECK(recv(ping, &request, sizeof request, MSG_DONTWAIT) == sizeof request && request.type == ICMP_ECHOREPLY);
  }
  CHECK(port_of(any) == udp && port_of(more) == udp && port_of(wild) == tcp && port_of(six) == tcp);
  CHECK(port_of(second) == both && port_of(third) == both);
  const struct sockaddr_in to4 = v4("127.0.0.1", tcp), to2 = v4("127.0.0.2", both), to3 = v4("127.0.0.3", both);
  const struct sockaddr_in6 to6 = v6("::1", tcp);
  reach(wild, (const struct sockaddr*)&to4, sizeof to4), reach(six, (const struct sockaddr*)&to6, sizeof to6);
  reach(second, (const struct sockaddr*)&to2, sizeof to2), reach(third, (const struct sockaddr*)&to3, sizeof to3);
  for (int i = 0; i < 3; i++)
    CHECK(port_of(group[i]) == shared && option(group[i], SOL_SOCKET, SO_REUSEPORT) == 1 &&
          option(group[i], SOL_SOCKET, SO_ACCEPTCONN) == 1);

  CHECK(option(shut, SOL_SOCKET, SO_ACCEPTCONN) == 0 && listen(shut, 2) == 0);
  CHECK(port_of(address) == 0 && connect(address, (const struct sockaddr*)&to4, sizeof to4) == 0);
  CHECK(port_of(freed) == free_port && option(freed, SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
        option(freed, IPPROTO_IP, IP_FREEBIND) == 1);
  CHECK(port_of(transparent) == transparent_port && option(transparent, IPPROTO_IP, IP_TRANSPARENT) == 1);
  CHECK(port_of(parted) == 0 && sendto(parted, "x", 1, 0, (const struct sockaddr*)&to, sizeof to) == 1 &&
        port_of(parted) != 0);
  char name[16] = "";
  socklen_t size = sizeof name;
  CHECK(getsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, name, &size) == 0 && strcmp(name, "lo") == 0, "%s", name);
  CHECK(send(mute, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  CHECK(setsockopt(groups, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &source, sizeof source) == 0);
  CHECK(setsockopt(groups6, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, &source6, sizeof source6) == 0);
  return victim_done();
}
