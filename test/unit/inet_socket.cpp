// IP sockets dumped, closed and restored inside this process.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "engine/sockets/kinds.h"
#include "engine/sockets/raw_peer.h"
#include "engine/sockets/tcp_checks.h"
#include "test/unit/fake_contexts.h"

using namespace nsr;

namespace {

/// Dumps the sockets, closes them, restores them; the new descriptors stand in the old ones' order.
struct Round {
  fake::TempDir dir;
  fake::Kinds kinds;
  std::unique_ptr<fake::Dump> dump;
  std::unique_ptr<fake::Restore> restore;
  std::vector<int> fds;

  explicit Round(const std::vector<int>& old, FileOptions options = {}) {
    kinds.push_back(make_inet_kind());
    dump = std::make_unique<fake::Dump>(dir.path, kinds, options);
    const auto ids = dump->run(old);
    for (int fd : old) close(fd);
    kinds.clear();
    kinds.push_back(make_inet_kind());
    restore = std::make_unique<fake::Restore>(dir.path, kinds, options);
    restore->run();
    for (uint32_t id : ids) fds.push_back(restore->fd(id));
  }
};

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

void set(int fd, int level, int name, int value) { REQUIRE(setsockopt(fd, level, name, &value, sizeof value) == 0); }

sockaddr_in loopback(uint16_t port = 0) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

template <class A>
void bind_to(int fd, const A& a) {
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
}

uint16_t port(int fd) {
  sockaddr_in6 a{};
  socklen_t n = sizeof a;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n) == 0);
  return ntohs(a.sin6_port);
}

tcp_info info(int fd) {
  tcp_info i{};
  socklen_t n = sizeof i;
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) == 0);
  return i;
}

}  // namespace

TEST_CASE("sockets: a TCP listener keeps address, backlog and options and accepts again") {
  NSR_NEEDS_ROOT;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  set(fd, SOL_SOCKET, SO_RCVBUF, 30000);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77);
  set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 4321);
  set(fd, IPPROTO_IP, IP_TOS, 0x10);
  const int defer = option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT);
  bind_to(fd, loopback());
  REQUIRE(listen(fd, 17) == 0);
  const uint16_t before = port(fd);

  Round round({fd});
  const int now = round.fds[0];
  CHECK(port(now) == before);
  CHECK(info(now).tcpi_state == TCP_LISTEN);
  CHECK(info(now).tcpi_sacked == 17);
  CHECK(option(now, SOL_SOCKET, SO_RCVBUF) == 60000);
  CHECK(option(now, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(now, SOL_SOCKET, SO_REUSEADDR) == 0);
  CHECK(option(now, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
  CHECK(option(now, IPPROTO_TCP, TCP_DEFER_ACCEPT) == defer);
  CHECK(option(now, IPPROTO_TCP, TCP_USER_TIMEOUT) == 4321);
  CHECK(option(now, IPPROTO_IP, IP_TOS) == 0x10);
  CHECK((fcntl(now, F_GETFL) & O_NONBLOCK) != 0);
  set(now, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  const auto to = loopback(before);
  REQUIRE(connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  CHECK(accept(now, nullptr, nullptr) >= 0);
  close(client);
}

TEST_CASE("sockets: a group of SO_REUSEPORT listeners on IPv6 comes back whole") {
  NSR_NEEDS_ROOT;
  std::vector<int> fds;
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  for (int i = 0; i < 3; i++) {
    fds.push_back(socket(AF_INET6, SOCK_STREAM, 0));
    set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
    set(fds[i], IPPROTO_IPV6, IPV6_V6ONLY, 1);
    bind_to(fds[i], a);
    a.sin6_port = htons(port(fds[i]));
    REQUIRE(listen(fds[i], 5 + i) == 0);
  }
  Round round(fds);
  for (int i = 0; i < 3; i++) {
    CHECK(port(round.fds[i]) == ntohs(a.sin6_port));
    CHECK(option(round.fds[i], SOL_SOCKET, SO_REUSEPORT) == 1);
    CHECK(option(round.fds[i], IPPROTO_IPV6, IPV6_V6ONLY) == 1);
    CHECK(info(round.fds[i]).tcpi_sacked == static_cast<unsigned>(5 + i));
  }
}

TEST_CASE("sockets: TCP sockets that are fresh, bound, or v4-mapped") {
  NSR_NEEDS_ROOT;
  const int fresh = socket(AF_INET, SOCK_STREAM, 0), bound = socket(AF_INET, SOCK_STREAM, 0),
            mapped = socket(AF_INET6, SOCK_STREAM, 0);
  bind_to(bound, loopback());
  const uint16_t bound_port = port(bound);
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr);
  bind_to(mapped, a);
  REQUIRE(listen(mapped, 1) == 0);
  const uint16_t mapped_port = port(mapped);
  Round round({fresh, bound, mapped});
  CHECK(port(round.fds[0]) == 0);
  CHECK(port(round.fds[1]) == bound_port);
  CHECK(port(round.fds[2]) == mapped_port);
  CHECK(info(round.fds[1]).tcpi_state == TCP_CLOSE);
}

TEST_CASE("sockets: freebind, linger, timeouts and a classic filter") {
  NSR_NEEDS_ROOT;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  set(fd, IPPROTO_IP, IP_FREEBIND, 1);
  sockaddr_in a = loopback();
  inet_pton(AF_INET, "192.0.2.77", &a.sin_addr);
  bind_to(fd, a);
  const linger wait{1, 9};
  REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait) == 0);
  const timeval timeout{2, 500000};
  REQUIRE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
  const sock_fprog program{1, code};
  REQUIRE(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  Round round({fd});
  const int now = round.fds[0];
  CHECK(option(now, IPPROTO_IP, IP_FREEBIND) == 1);
  linger l{};
  socklen_t n = sizeof l;
  REQUIRE(getsockopt(now, SOL_SOCKET, SO_LINGER, &l, &n) == 0);
  CHECK((l.l_onoff == 1 && l.l_linger == 9));
  timeval t{};
  n = sizeof t;
  REQUIRE(getsockopt(now, SOL_SOCKET, SO_RCVTIMEO, &t, &n) == 0);
  CHECK((t.tv_sec == 2 && t.tv_usec == 500000));
  sock_filter got[4];
  n = 4;
  REQUIRE(getsockopt(now, SOL_SOCKET, SO_GET_FILTER, got, &n) == 0);
  REQUIRE(n == 1);
  CHECK(memcmp(got, code, sizeof code) == 0);
}

TEST_CASE("sockets: UDP connected, shut down, in a multicast group, and UDP-Lite") {
  NSR_NEEDS_ROOT;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0), lite = socket(AF_INET, SOCK_DGRAM, 136);
  bind_to(fd, loopback());
  const auto to = loopback(9);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  ip_mreqn group{};
  inet_pton(AF_INET, "239.7.7.7", &group.imr_multiaddr);
  group.imr_ifindex = 1;
  REQUIRE(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
  REQUIRE(shutdown(fd, SHUT_WR) == 0);
  set(lite, 136, 10, 20);
  const uint16_t before = port(fd);
  Round round({fd, lite});
  const int now = round.fds[0];
  CHECK(port(now) == before);
  sockaddr_in peer{};
  socklen_t n = sizeof peer;
  REQUIRE(getpeername(now, reinterpret_cast<sockaddr*>(&peer), &n) == 0);
  CHECK(ntohs(peer.sin_port) == 9);
  CHECK(send(now, "x", 1, MSG_NOSIGNAL) == -1);
  CHECK(errno == EPIPE);
  CHECK(setsockopt(now, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == -1);
  CHECK(errno == EADDRINUSE);
  CHECK(option(round.fds[1], 136, 10) == 20);
}

TEST_CASE("sockets: a live TCP connection is refused by its addresses and the option is named") {
  NSR_NEEDS_ROOT;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  bind_to(listener, loopback());
  REQUIRE(listen(listener, 1) == 0);
  const auto to = loopback(port(listener));
  REQUIRE(connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  fake::TempDir dir;
  fake::Kinds kinds;
  kinds.push_back(make_inet_kind());
  CHECK_THROWS_WITH(
      fake::Dump(dir.path, kinds).run({client}),
      Catch::Contains("--tcp-established") && Catch::Contains("127.0.0.1:" + std::to_string(port(listener))));
  CHECK_THROWS_WITH(fake::Dump(dir.path, kinds).run({listener}), Catch::Contains("--skip-in-flight"));
  close(client);
  close(listener);
}

TEST_CASE("sockets: the peer of a raw socket is read out of /proc/net") {
  const std::string v4 =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
      "drops\n"
      "  201: 0100007F:00C9 0200007F:0000 01 00000000:00000000 00:00000000 00000000     0        0 4711 2 "
      "0000000000000000 0\n"
      "  202: 00000000:00CA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 "
      "0000000000000000 0\n";
  const std::string v6 =
      "  203: 00000000000000000000000001000000:00CB 00000000000000000000000001000000:0000 01 00000000:00000000 "
      "00:00000000 "
      "00000000     0        0 4713 2 0000000000000000 0\n";
  REQUIRE(parse_raw_peer(v4, 4711));
  CHECK(address_text(*parse_raw_peer(v4, 4711)) == "127.0.0.2:0");
  CHECK_FALSE(parse_raw_peer(v4, 4712));
  CHECK_FALSE(parse_raw_peer(v4, 4713));
  REQUIRE(parse_raw_peer(v6, 4713));
  CHECK(address_text(*parse_raw_peer(v6, 4713)) == "[::1]:0");
  CHECK_FALSE(parse_raw_peer("  201: 0100007F:00C9 0200", 4711));
}

TEST_CASE("sockets: kTLS and TCP-AO are refused, naming them") {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_NOTHROW(refuse_upper_layers(upper_layers(fd), "it"));
  close(fd);
  CHECK_THROWS_WITH(refuse_upper_layers({"tls", false}, "pid 1 fd 2"),
                    Catch::StartsWith("pid 1 fd 2: the kernel speaks tls on it"));
  CHECK_THROWS_WITH(refuse_upper_layers({"", true}, "pid 1 fd 2"),
                    Catch::StartsWith("pid 1 fd 2: it has keys of TCP-AO"));
}
