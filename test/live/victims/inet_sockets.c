// UDP connected and shut down, in a multicast group, UDP-Lite, raw ICMP with a filter, netlink with groups: options
// kept.
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -errno;
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, now;
  socklen_t size = sizeof here;
  int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0),
      lite = socket(AF_INET, SOCK_DGRAM, 136);
  MUST(bind(server, (struct sockaddr*)&here, sizeof here) == 0);
  MUST(getsockname(server, (struct sockaddr*)&here, &size) == 0);
  MUST(connect(client, (struct sockaddr*)&here, sizeof here) == 0);
  set(client, SOL_SOCKET, SO_BROADCAST, 1), set(client, IPPROTO_IP, IP_TTL, 33), set(client, IPPROTO_IP, IP_RECVTOS, 1);
  set(server, IPPROTO_IP, IP_PKTINFO, 1), set(server, SOL_SOCKET, SO_RCVBUF, 50000);
  struct ip_mreqn group = {.imr_multiaddr = {htonl(0xef070707)}, .imr_ifindex = 1};
  MUST(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
  if (lite >= 0) set(lite, 136, 10, 24);
  int done = socket(AF_INET, SOCK_DGRAM, 0);
  MUST(connect(done, (struct sockaddr*)&here, sizeof here) == 0 && shutdown(done, SHUT_WR) == 0);
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  struct icmp_filter filter = {~(1u << ICMP_ECHOREPLY)};
  if (raw >= 0) MUST(setsockopt(raw, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0);
  struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  MUST(bind(netlink, (struct sockaddr*)&nl, sizeof nl) == 0);
  set(netlink, SOL_NETLINK, NETLINK_EXT_ACK, 1);

  victim_ready();

  size = sizeof now;
  CHECK(getpeername(client, (struct sockaddr*)&now, &size) == 0);
  CHECK_EQ(now.sin_port, here.sin_port);
  CHECK_EQ(option(client, SOL_SOCKET, SO_BROADCAST), 1);
  CHECK_EQ(option(client, IPPROTO_IP, IP_TTL), 33);
  CHECK_EQ(option(client, IPPROTO_IP, IP_RECVTOS), 1);
  CHECK_EQ(option(server, IPPROTO_IP, IP_PKTINFO), 1);
  CHECK_EQ(option(server, SOL_SOCKET, SO_RCVBUF), 100000);
  CHECK(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == -1 && errno == EADDRINUSE);
  char text[8] = "";
  CHECK(write(client, "ping", 4) == 4 && read(server, text, sizeof text) == 4 && strcmp(text, "ping") == 0);
  CHECK(send(done, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  if (lite >= 0) CHECK_EQ(option(lite, 136, 10), 24);
  struct icmp_filter kept = {0};
  size = sizeof kept;
  if (raw >= 0) CHECK(getsockopt(raw, SOL_RAW, ICMP_FILTER, &kept, &size) == 0 && kept.data == filter.data);
  uint32_t groups = 0;
  size = sizeof groups;
  CHECK(getsockopt(netlink, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, &groups, &size) == 0);
  CHECK_EQ(groups & 0xff, (1u << (RTNLGRP_LINK - 1)) | (1u << (RTNLGRP_IPV4_IFADDR - 1)));
  CHECK_EQ(option(netlink, SOL_NETLINK, NETLINK_EXT_ACK), 1);
  return victim_done();
}
