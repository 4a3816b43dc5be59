// Netlink sockets: groups by bind and by membership, also beyond the first 32, a port that was chosen and one that the
// kernel gave, a peer they are connected to, several protocols, a filter; they ask and are answered afterwards.
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

static int make(int type, int protocol, uint32_t port, uint32_t groups) {
  const int fd = socket(AF_NETLINK, type, protocol);
  if (fd < 0) return -1;
  const struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};
  MUST(bind(fd, (const struct sockaddr*)&a, sizeof a) == 0);
  return fd;
}

static struct sockaddr_nl name_of(int fd, bool peer) {
  struct sockaddr_nl a = {0};
  socklen_t size = sizeof a;
  CHECK((peer ? getpeername : getsockname)(fd, (struct sockaddr*)&a, &size) == 0);
  return a;
}

static void join(int fd, int group) {
  MUST(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0);
}

// The groups as bits, two words of them.
static uint64_t groups_of(int fd) {
  uint32_t words[4] = {0};
  socklen_t size = sizeof words;
  CHECK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size) == 0);
  return (uint64_t)words[1] << 32 | words[0];
}

// Asks for the loopback device.
static void ask(int fd) {
  struct {
    struct nlmsghdr h;
    struct ifinfomsg m;
  } q = {.h = {.nlmsg_len = sizeof q, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 77},
         .m = {.ifi_index = 1}};
  char answer[8192];
  CHECK(send(fd, &q, sizeof q, 0) == sizeof q);
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 5000) == 1);
  const ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
  const struct nlmsghdr* h = (const void*)answer;
  CHECK(n > 0 && h->nlmsg_type == RTM_NEWLINK && h->nlmsg_seq == 77 && h->nlmsg_pid == name_of(fd, false).nl_pid);
}

enum { kSockets = 8 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fds[kSockets] = {
      make(SOCK_RAW, NETLINK_ROUTE, 0, RTMGRP_LINK | RTMGRP_IPV4_ROUTE),
      make(SOCK_RAW, NETLINK_ROUTE, 0x7ace0000u + (uint32_t)getpid(), 0),
      make(SOCK_DGRAM, NETLINK_ROUTE, 0, 0),
      make(SOCK_RAW, NETLINK_KOBJECT_UEVENT, 0, 1),
      make(SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_GENERIC, 0, 0),
      make(SOCK_RAW, NETLINK_SOCK_DIAG, 0, 0),
      make(SOCK_RAW, NETLINK_AUDIT, 0, 0),
      socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),  // never bound
  };
  join(fds[0], RTNLGRP_NSID), join(fds[0], 33), join(fds[0], 34);
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK},
                           other = {.nl_family = AF_NETLINK, .nl_pid = name_of(fds[1], false).nl_pid};
  MUST(connect(fds[2], (const struct sockaddr*)&kernel, sizeof kernel) == 0);
  MUST(connect(fds[5], (const struct sockaddr*)&other, sizeof other) == 0);
  struct sock_filter drop[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  const struct sock_fprog program = {1, drop};
  MUST(setsockopt(fds[3], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  struct sockaddr_nl names[kSockets], peers[kSockets];
  uint64_t groups[kSockets];
  for (int i = 0; i < kSockets; i++)
    if (fds[i] >= 0) names[i] = name_of(fds[i], false), peers[i] = name_of(fds[i], true), groups[i] = groups_of(fds[i]);
  MUST(groups[0] >> 32 == 3);

  victim_ready();

  for (int i = 0; i < kSockets; i++) {
    if (fds[i] < 0) continue;
    const struct sockaddr_nl name = name_of(fds[i], false), peer = name_of(fds[i], true);
    CHECK(name.nl_pid == names[i].nl_pid, "socket %d: port %u, was %u", i, name.nl_pid, names[i].nl_pid);
    CHECK(peer.nl_pid == peers[i].nl_pid && peer.nl_groups == peers[i].nl_groups, "socket %d: peer %u", i, peer.nl_pid);
    const uint64_t now = groups_of(fds[i]);
    CHECK(now == groups[i], "socket %d: groups %llx, were %llx", i, (unsigned long long)now,
          (unsigned long long)groups[i]);
  }
  struct sock_filter got[4];
  socklen_t count = 4;
  CHECK(getsockopt(fds[3], SOL_SOCKET, SO_GET_FILTER, got, &count) == 0 && count == 1);
  ask(fds[0]), ask(fds[1]), ask(fds[2]);
  CHECK(fcntl(fds[4], F_GETFL) & O_NONBLOCK);
  return victim_done();
}
