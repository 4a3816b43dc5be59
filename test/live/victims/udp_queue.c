// Datagrams that nobody has read yet: of several senders, empty and large ones, UDP and UDP-Lite, IPv4, IPv6 and
// v4-mapped, with what the receiver asks to be told of their headers; two receivers on one port, one of them connected.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

enum { kDatagrams = 4, kLarge = 30000, kSenders = 2 };
static const size_t sizes[kDatagrams] = {5, 0, kLarge, 1};

struct queue {
  int receiver, sender[kSenders];
  struct sockaddr_storage from[kSenders];
  socklen_t size;
};

static struct sockaddr_storage address_of(int fd, socklen_t* size) {
  struct sockaddr_storage a = {0};
  *size = sizeof a;
  MUST(getsockname(fd, (struct sockaddr*)&a, size) == 0);
  return a;
}

static int bound(int family, int protocol, const char* host, int port) {
  const int fd = socket(family, SOCK_DGRAM, protocol), on = 1;
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  MUST(fd >= 0 && inet_pton(family, host, family == AF_INET ? (void*)&four.sin_addr : (void*)&six.sin6_addr) == 1);
  if (port != 0) MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  MUST(bind(fd, family == AF_INET ? (struct sockaddr*)&four : (struct sockaddr*)&six,
            family == AF_INET ? sizeof four : sizeof six) == 0);
  return fd;
}

static void fill(int fd, char* data, int n) {
  for (size_t i = 0; i < sizes[n]; i++) data[i] = (char)((i + (size_t)n) * 31 >> 3 ^ (size_t)fd);
}

static void send_all(const struct queue* q) {
  static char data[kLarge];
  socklen_t size;
  const struct sockaddr_storage to = address_of(q->receiver, &size);
  for (int n = 0; n < kDatagrams; n++) {
    fill(q->receiver, data, n);
    MUST(sendto(q->sender[n % kSenders], data, sizes[n], 0, (struct sockaddr*)&to, size) == (ssize_t)sizes[n]);
  }
}

// The loopback device delivers a moment later when the machine is busy.
static void wait_for(int fd) {
  uint32_t before, now = 0;
  int still = 0;
  while (still < 20) {
    uint32_t info[9] = {0};
    socklen_t size = sizeof info;
    before = now;
    MUST(getsockopt(fd, SOL_SOCKET, 55, info, &size) == 0);  // SO_MEMINFO
    now = info[0];
    still = now != 0 && now == before ? still + 1 : 0;
    poll(NULL, 0, 1);
  }
}

static struct queue make(int family, int protocol, const char* host, const char* any) {
  struct queue q = {.receiver = bound(family, protocol, any ? any : host, 0)};
  struct sockaddr_storage to = address_of(q.receiver, &q.size);
  struct sockaddr_storage there = to;
  if (any && family == AF_INET) inet_pton(family, host, &((struct sockaddr_in*)&there)->sin_addr);
  if (any && family == AF_INET6) inet_pton(family, host, &((struct sockaddr_in6*)&there)->sin6_addr);
  for (int i = 0; i < kSenders; i++) {
    q.sender[i] = bound(family, protocol, host, 0);
    q.from[i] = address_of(q.sender[i], &q.size);
    MUST(connect(q.sender[i], (struct sockaddr*)&there, q.size) == 0);
  }
  send_all(&q);
  return q;
}

static void expect(const struct queue* q, const char* what) {
  static char data[kLarge + 1], wanted[kLarge];
  for (int n = 0; n < kDatagrams; n++) {
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(q->receiver, data, sizeof data, MSG_DONTWAIT, (struct sockaddr*)&from, &size);
    fill(q->receiver, wanted, n);
    CHECK(got == (ssize_t)sizes[n] && memcmp(data, wanted, sizes[n]) == 0, "%s datagram %d: %zd bytes", what, n, got);
    CHECK(size == q->size && memcmp(&from, &q->from[n % kSenders], size) == 0, "%s datagram %d: sender", what, n);
  }
  CHECK(recv(q->receiver, data, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "%s", what);
  // The way back still works.
  CHECK(sendto(q->receiver, "back", 4, 0, (struct sockaddr*)&q->from[0], q->size) == 4);
  CHECK(poll(&(struct pollfd){q->sender[0], POLLIN, 0}, 1, 5000) == 1 && recv(q->sender[0], data, 8, 0) == 4, "%s",
        what);
}

// One datagram with its destination, TTL and TOS.
static void expect_headers(int fd, struct in_addr to) {
  char data[8] = "", control[256];
  struct iovec piece = {data, sizeof data};
  struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK(recvmsg(fd, &header, MSG_DONTWAIT) == 3 && strcmp(data, "abc") == 0, "%s", data);
  int seen = 0;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_type == IP_PKTINFO) seen |= ((struct in_pktinfo*)CMSG_DATA(c))->ipi_addr.s_addr == to.s_addr ? 1 : 0;
    if (c->cmsg_type == IP_TTL) seen |= *(int*)CMSG_DATA(c) == 33 ? 2 : 0;
    if (c->cmsg_type == IP_TOS) seen |= *CMSG_DATA(c) == 0x28 ? 4 : 0;
  }
  CHECK_EQ(seen, 7);
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const struct queue queues[] = {
      make(AF_INET, 0, "127.0.0.1", NULL),
      make(AF_INET, 0, "127.0.0.1", "0.0.0.0"),
      make(AF_INET6, 0, "::1", NULL),
      make(AF_INET6, 0, "::1", "::"),
      make(AF_INET6, 0, "::ffff:127.0.0.1", "::"),
      make(AF_INET, IPPROTO_UDPLITE, "127.0.0.1", NULL),
      make(AF_INET6, IPPROTO_UDPLITE, "::1", NULL),
  };
  enum { kQueues = sizeof queues / sizeof *queues };
  // A small buffer that was smaller when the datagrams came would not take them now.
  set(queues[0].receiver, SOL_SOCKET, SO_RCVBUF, 3000);

  const int told = bound(AF_INET, 0, "0.0.0.0", 0), teller = bound(AF_INET, 0, "127.0.0.2", 0);
  set(told, IPPROTO_IP, IP_PKTINFO, 1), set(told, IPPROTO_IP, IP_RECVTTL, 1), set(told, IPPROTO_IP, IP_RECVTOS, 1);
  set(teller, IPPROTO_IP, IP_TTL, 33), set(teller, IPPROTO_IP, IP_TOS, 0x28);
  socklen_t size;
  struct sockaddr_storage to = address_of(told, &size);
  struct in_addr third = {htonl(0x7f000003)};
  ((struct sockaddr_in*)&to)->sin_addr = third;
  MUST(sendto(teller, "abc", 3, 0, (struct sockaddr*)&to, size) == 3);

  // Two on one port: what came to the first before the second was there stays with the first.
  const int speaker = bound(AF_INET, 0, "127.0.0.1", 0), first = bound(AF_INET, 0, "127.0.0.1", 0);
  set(first, SOL_SOCKET, SO_REUSEADDR, 1);
  const struct sockaddr_storage port = address_of(first, &size), whose = address_of(speaker, &size);
  MUST(sendto(speaker, "first", 5, 0, (struct sockaddr*)&port, size) == 5);
  wait_for(first);
  const int second = bound(AF_INET, 0, "127.0.0.1", ntohs(((struct sockaddr_in*)&port)->sin_port));
  MUST(connect(second, (struct sockaddr*)&whose, size) == 0);
  MUST(sendto(speaker, "second", 6, 0, (struct sockaddr*)&port, size) == 6);
  for (int i = 0; i < kQueues; i++) wait_for(queues[i].receiver);
  wait_for(told), wait_for(second);

  victim_ready();

  static const char* const names[] = {"IPv4", "IPv4 any", "IPv6", "IPv6 any", "mapped", "UDP-Lite", "UDP-Litev6"};
  for (int i = 0; i < kQueues; i++) expect(&queues[i], names[i]);
  expect_headers(told, third);
  char text[16] = "";
  CHECK(recv(first, text, sizeof text, MSG_DONTWAIT) == 5 && strcmp(text, "first") == 0, "%s", text);
  CHECK(recv(second, text, sizeof text, MSG_DONTWAIT) == 6 && strncmp(text, "second", 6) == 0, "%s", text);
  struct sockaddr_storage peer;
  size = sizeof peer;
  CHECK(getpeername(first, (struct sockaddr*)&peer, &size) == -1 && errno == ENOTCONN);
  CHECK(getpeername(second, (struct sockaddr*)&peer, &size) == 0);
  return victim_done();
}
