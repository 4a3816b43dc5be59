// Live TCP connections over loopback: both ends are taken out of the kernel and put back, in every state.
#include "engine/sockets/tcp_stream.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine/namespaces/network_lock.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/tcp_packet.h"
#include "test/unit/fake_contexts.h"

using namespace nsr;

namespace {

struct Pair {
  int client, server;
};

/// A connection to `host`; family AF_INET6 with "::ffff:127.0.0.1" is v4-mapped.
Pair connection(int family = AF_INET, const char* host = "127.0.0.1") {
  sockaddr_storage a{};
  socklen_t n = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  a.ss_family = static_cast<sa_family_t>(family);
  void* at = family == AF_INET ? static_cast<void*>(&reinterpret_cast<sockaddr_in&>(a).sin_addr)
                               : &reinterpret_cast<sockaddr_in6&>(a).sin6_addr;
  REQUIRE(inet_pton(family, host, at) == 1);
  const int listener = socket(family, SOCK_STREAM, 0), client = socket(family, SOCK_STREAM, 0);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&a), n) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&a), &n) == 0);
  REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&a), n) == 0);
  const int server = accept(listener, nullptr, nullptr);
  REQUIRE(server >= 0);
  close(listener);
  return {client, server};
}

/// Both ends are dumped, closed and restored while their network is held, as dump and restore do it: without that the
/// kernel goes on with what is on the way in the middle.
struct Round {
  fake::TempDir dir;
  NetworkHold hold{NetworkLock::nftables, new_run_id()};
  fake::Kinds dumping, restoring;
  std::unique_ptr<fake::Dump> dump;
  std::unique_ptr<fake::Restore> restore;
  std::vector<int> fds;

  explicit Round(const std::vector<int>& old) {
    FileOptions options;
    options.tcp_established = true;
    dumping.push_back(make_inet_kind());
    restoring.push_back(make_inet_kind());
    dump = std::make_unique<fake::Dump>(dir.path, dumping, options);
    dump->lock = &hold;
    const auto ids = dump->run(old);
    dump->before_kill();
    for (int fd : old) close(fd);
    dumping.clear();
    restore = std::make_unique<fake::Restore>(dir.path, restoring, options);
    restore->lock = &hold;
    restore->run();
    hold.release();
    for (auto& kind : restoring) kind->after_release();
    for (uint32_t id : ids) fds.push_back(restore->fd(id));
  }
};

void put(int fd, const std::string& text) {
  REQUIRE(send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// Reads exactly n bytes, or up to the end of the stream.
std::string get(int fd, size_t n) {
  std::string text;
  char buffer[65536];
  while (text.size() < n) {
    pollfd p{fd, POLLIN, 0};
    REQUIRE(poll(&p, 1, 10000) == 1);
    const ssize_t got = recv(fd, buffer, std::min(sizeof buffer, n - text.size()), 0);
    REQUIRE(got >= 0);
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

tcp_info info(int fd) {
  tcp_info i{};
  socklen_t n = sizeof i;
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) == 0);
  return i;
}

std::string pattern(size_t n, unsigned seed) {
  std::string text(n, '\0');
  for (size_t i = 0; i < n; i++) text[i] = static_cast<char>((i * 2654435761u + seed) >> 13);
  return text;
}

/// Waits until the kernel has brought a socket into a state.
void wait_for_state(int fd, unsigned state) {
  for (int i = 0; i < 1000 && info(fd).tcpi_state != state; i++) poll(nullptr, 0, 1);
  REQUIRE(info(fd).tcpi_state == state);
}

}  // namespace

TEST_CASE("tcp: a connection goes on with its data, options and window scale") {
  NSR_NEEDS_ROOT;
  const std::pair<int, const char*> hosts[] = {
      {AF_INET, "127.0.0.1"}, {AF_INET6, "::1"}, {AF_INET6, "::ffff:127.0.0.1"}};
  for (const auto& [family, host] : hosts) {
    const Pair ends = connection(family, host);
    const int on = 1, user_timeout = 7000;
    REQUIRE(setsockopt(ends.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    REQUIRE(setsockopt(ends.client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    REQUIRE(setsockopt(ends.server, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout) == 0);
    put(ends.client, "unread at the server");
    put(ends.server, "unread at the client");
    const tcp_info before = info(ends.client);
    Round round({ends.client, ends.server});
    const int client = round.fds[0], server = round.fds[1];
    CHECK(get(server, 20) == "unread at the server");
    CHECK(get(client, 20) == "unread at the client");
    const std::string big = pattern(3 << 20, 1);
    for (size_t at = 0; at < big.size(); at += 1 << 16) {
      put(client, big.substr(at, 1 << 16));
      REQUIRE(get(server, 1 << 16) == big.substr(at, 1 << 16));
    }
    put(server, "and back");
    CHECK(get(client, 8) == "and back");
    const tcp_info after = info(client);
    CHECK(after.tcpi_options == before.tcpi_options);
    CHECK(after.tcpi_snd_wscale == before.tcpi_snd_wscale);
    CHECK(after.tcpi_rcv_wscale == before.tcpi_rcv_wscale);
    int value = 0;
    socklen_t n = sizeof value;
    REQUIRE(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &n) == 0);
    CHECK(value == 1);
    REQUIRE(getsockopt(client, SOL_SOCKET, SO_REUSEADDR, &value, &n) == 0);
    CHECK(value == 1);
    REQUIRE(getsockopt(server, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &n) == 0);
    CHECK(value == 7000);
  }
}

TEST_CASE("tcp: full queues on both sides, unsent data included") {
  NSR_NEEDS_ROOT;
  const Pair ends = connection();
  const int flags = fcntl(ends.client, F_GETFL);
  fcntl(ends.client, F_SETFL, flags | O_NONBLOCK);
  const std::string big = pattern(64 << 20, 2);
  size_t sent = 0;
  for (;;) {
    const ssize_t n = send(ends.client, big.data() + sent, std::min<size_t>(big.size() - sent, 100000), 0);
    if (n < 0) break;
    sent += static_cast<size_t>(n);
  }
  fcntl(ends.client, F_SETFL, flags);
  int unsent = 0;
  REQUIRE(ioctl(ends.client, SIOCOUTQNSD, &unsent) == 0);
  INFO("sent " << sent << ", never on the wire " << unsent);
  REQUIRE(unsent > 0);
  Round round({ends.client, ends.server});
  CHECK(get(round.fds[1], sent) == big.substr(0, sent));
  put(round.fds[0], "more");
  CHECK(get(round.fds[1], 4) == "more");
}

TEST_CASE("tcp: the dump leaves a connection as it was") {
  NSR_NEEDS_ROOT;
  const Pair ends = connection();
  const int on = 1;
  REQUIRE(setsockopt(ends.client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  put(ends.client, "quiet");
  fake::TempDir dir;
  fake::Kinds kinds;
  kinds.push_back(make_inet_kind());
  FileOptions options;
  options.tcp_established = true;
  fake::Dump(dir.path, kinds, options).run({ends.client, ends.server});
  int repair = 1;
  socklen_t n = sizeof repair;
  REQUIRE(getsockopt(ends.client, IPPROTO_TCP, TCP_REPAIR, &repair, &n) == 0);
  CHECK(repair == 0);
  int reuse = 0;
  REQUIRE(getsockopt(ends.client, SOL_SOCKET, SO_REUSEADDR, &reuse, &n) == 0);
  CHECK(reuse == 1);
  CHECK(get(ends.server, 5) == "quiet");
  put(ends.server, "still");
  CHECK(get(ends.client, 5) == "still");
  close(ends.client), close(ends.server);
}

TEST_CASE("tcp: half-closed connections keep both ends' states") {
  NSR_NEEDS_ROOT;
  const Pair ends = connection();
  put(ends.client, "last words");
  REQUIRE(shutdown(ends.client, SHUT_WR) == 0);
  wait_for_state(ends.client, TCP_FIN_WAIT2);
  wait_for_state(ends.server, TCP_CLOSE_WAIT);
  Round round({ends.client, ends.server});
  const int client = round.fds[0], server = round.fds[1];
  wait_for_state(client, TCP_FIN_WAIT2);
  wait_for_state(server, TCP_CLOSE_WAIT);
  CHECK(get(server, 100) == "last words");
  put(server, "answer");
  CHECK(get(client, 6) == "answer");
  CHECK(send(client, "x", 1, MSG_NOSIGNAL) == -1);
  REQUIRE(shutdown(server, SHUT_WR) == 0);
  CHECK(get(client, 1).empty());
}

TEST_CASE("tcp: a segment's checksum is right") {
  SocketAddress from, to;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(1234);
  inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
  memcpy(&from.storage, &in, sizeof in);
  from.length = sizeof in;
  in.sin_port = htons(80);
  inet_pton(AF_INET, "192.0.2.2", &in.sin_addr);
  memcpy(&to.storage, &in, sizeof in);
  to.length = sizeof in;
  TcpSegment s{from, to, 0x01020304, 0x0a0b0c0d, 512, true, false, {}, {}};
  const std::string bytes = encode_segment(s);
  REQUIRE(bytes.size() == 20);
  // Sum over pseudo header and segment is all ones.
  uint32_t sum = 0xc000 + 0x0201 + 0xc000 + 0x0202 + 6 + 20;
  for (size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i]) << 8 | static_cast<uint8_t>(bytes[i + 1]));
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  CHECK(sum == 0xffff);
}
