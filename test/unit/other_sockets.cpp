// Netlink and packet sockets dumped, closed and restored inside this process; kinds that are refused.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include "engine/sockets/kinds.h"
#include "test/unit/fake_contexts.h"

using namespace nsr;

namespace {

fake::Kinds kinds() {
  fake::Kinds list;
  list.push_back(make_netlink_kind());
  list.push_back(make_packet_kind());
  list.push_back(make_other_socket_kind());
  return list;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

void set(int fd, int level, int name, int value) { REQUIRE(setsockopt(fd, level, name, &value, sizeof value) == 0); }

}  // namespace

TEST_CASE("sockets: netlink keeps port, groups and options") {
  NSR_NEEDS_ROOT;
  const int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  sockaddr_nl a{};
  a.nl_family = AF_NETLINK;
  a.nl_pid = 0x7fff1234;
  a.nl_groups = RTMGRP_LINK;
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
  set(fd, 270, NETLINK_ADD_MEMBERSHIP, RTNLGRP_NSID);
  set(fd, 270, NETLINK_EXT_ACK, 1);
  fake::TempDir dir;
  auto first = kinds(), second = kinds();
  const auto ids = fake::Dump(dir.path, first).run({fd});
  close(fd);
  fake::Restore restore(dir.path, second);
  restore.run();
  const int now = restore.fd(ids[0]);
  socklen_t n = sizeof a;
  REQUIRE(getsockname(now, reinterpret_cast<sockaddr*>(&a), &n) == 0);
  CHECK(a.nl_pid == 0x7fff1234);
  CHECK(option(now, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
  CHECK(option(now, 270, NETLINK_EXT_ACK) == 1);
  uint32_t groups[2] = {};
  n = sizeof groups;
  REQUIRE(getsockopt(now, 270, NETLINK_LIST_MEMBERSHIPS, groups, &n) == 0);
  CHECK(groups[0] == (1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_NSID - 1)));
}

TEST_CASE("sockets: packet sockets keep interface, version, ring and fanout") {
  NSR_NEEDS_ROOT;
  int fds[2];
  for (int& fd : fds) {
    fd = socket(AF_PACKET, SOCK_RAW, 0);
    set(fd, 263, PACKET_VERSION, TPACKET_V3);
    set(fd, 263, PACKET_AUXDATA, 1);
    tpacket_req3 ring{};
    ring.tp_block_size = 1 << 16, ring.tp_block_nr = 2, ring.tp_frame_size = 2048, ring.tp_frame_nr = 64,
    ring.tp_retire_blk_tov = 50;
    REQUIRE(setsockopt(fd, 263, PACKET_RX_RING, &ring, sizeof ring) == 0);
    sockaddr_ll a{};
    a.sll_family = AF_PACKET, a.sll_protocol = htons(ETH_P_ARP), a.sll_ifindex = 1;
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
    set(fd, 263, PACKET_FANOUT, 0x4321 | PACKET_FANOUT_LB << 16);
  }
  fake::TempDir dir;
  auto first = kinds(), second = kinds();
  const auto ids = fake::Dump(dir.path, first).run({fds[0], fds[1]});
  for (int fd : fds) close(fd);
  fake::Restore restore(dir.path, second);
  restore.run();
  for (const uint32_t id : ids) {
    const int now = restore.fd(id);
    sockaddr_ll a{};
    socklen_t n = sizeof a;
    REQUIRE(getsockname(now, reinterpret_cast<sockaddr*>(&a), &n) == 0);
    CHECK(a.sll_ifindex == 1);
    CHECK(a.sll_protocol == htons(ETH_P_ARP));
    CHECK(option(now, 263, PACKET_VERSION) == TPACKET_V3);
    CHECK(option(now, 263, PACKET_AUXDATA) == 1);
    CHECK((option(now, 263, PACKET_FANOUT) & 0xffff) == 0x4321);
    CHECK(fake::Dump(dir.path + "/..", first).entries.empty());
  }
}

TEST_CASE("sockets: a vsock is refused by name and reason") {
  const int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (fd < 0) return;
  fake::TempDir dir;
  auto some = kinds();
  CHECK_THROWS_WITH(fake::Dump(dir.path, some).run({fd}),
                    Catch::Contains("AF_VSOCK") && Catch::Contains("fd " + std::to_string(fd)));
  close(fd);
}
