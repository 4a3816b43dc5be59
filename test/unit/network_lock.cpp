// The network lock in a network namespace of the test's own, and the TCP states that only a held network shows.
#include "engine/namespaces/network_lock.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/sockets/kinds.h"
#include "test/unit/fake_contexts.h"

using namespace nsr;

namespace {

/// Runs the body in a thread with a fresh network namespace whose loopback is up.
template <class F>
void in_own_network(F body) {
  std::thread([&] {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    REQUIRE(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    close(fd);
    body();
  }).join();
}

struct Pair {
  int client, server;
  Connection connection() const {
    Connection c;
    socklen_t n = sizeof c.local;
    REQUIRE(getsockname(client, reinterpret_cast<sockaddr*>(&c.local), &n) == 0);
    n = sizeof c.peer;
    REQUIRE(getpeername(client, reinterpret_cast<sockaddr*>(&c.peer), &n) == 0);
    return c;
  }
};

Pair connect_ends(int family) {
  sockaddr_in6 a{};
  a.sin6_family = static_cast<sa_family_t>(family);
  if (family == AF_INET)
    reinterpret_cast<sockaddr_in&>(a).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    a.sin6_addr = in6addr_loopback;
  socklen_t n = family == AF_INET ? sizeof(sockaddr_in) : sizeof a;
  const int listener = socket(family, SOCK_STREAM, 0), client = socket(family, SOCK_STREAM, 0);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&a), n) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&a), &n) == 0);
  REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&a), n) == 0);
  const int server = accept(listener, nullptr, nullptr);
  close(listener);
  return {client, server};
}

bool arrives(int fd, int milliseconds) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, milliseconds) == 1;
}

unsigned state(int fd) {
  tcp_info i{};
  socklen_t n = sizeof i;
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) == 0);
  return i.tcpi_state;
}

void wait_for_state(int fd, unsigned wanted) {
  for (int i = 0; i < 5000 && state(fd) != wanted; i++) poll(nullptr, 0, 1);
  REQUIRE(state(fd) == wanted);
}

std::string get(int fd) {
  char text[64];
  const ssize_t n = arrives(fd, 5000) ? recv(fd, text, sizeof text, MSG_DONTWAIT) : -1;
  return n < 0 ? "(nothing)" : std::string(text, static_cast<size_t>(n));
}

/// Both ends through dump, close and restore under one lock; each gets what the network held back in between
/// afterwards.
struct Round {
  fake::TempDir dir;
  fake::Kinds dumping, restoring;
  std::unique_ptr<fake::Restore> restore;
  std::vector<int> fds;
  Round(const std::vector<int>& old, NetworkHold& hold) {
    FileOptions options;
    options.tcp_established = true;
    dumping.push_back(make_inet_kind());
    restoring.push_back(make_inet_kind());
    fake::Dump dump(dir.path, dumping, options);
    dump.lock = &hold;
    const auto ids = dump.run(old);
    dump.before_kill();
    for (int fd : old) close(fd);
    dumping.clear();
    restore = std::make_unique<fake::Restore>(dir.path, restoring, options);
    restore->lock = &hold;
    restore->run();
    for (uint32_t id : ids) fds.push_back(restore->fd(id));
  }
};

constexpr const char* kRunId = "01234567-89ab-4cde-8fab-0123456789ab";

/// nftables, and iptables where its programs are installed.
std::vector<NetworkLock> methods() {
  if (access("/usr/sbin/iptables-restore", X_OK) == 0) return {NetworkLock::nftables, NetworkLock::iptables};
  return {NetworkLock::nftables};
}

void holds_its_connections(NetworkLock method, int family) {
  in_own_network([&] {
    const Pair held = connect_ends(family), other = connect_ends(family);
    {
      NetworkHold hold(method, kRunId);
      const Connection c = held.connection();
      hold.hold({&c, 1}, held.client);
      CHECK(hold.active());
      REQUIRE(send(held.client, "x", 1, 0) == 1);
      REQUIRE(send(held.server, "y", 1, 0) == 1);
      REQUIRE(send(other.client, "z", 1, 0) == 1);
      CHECK(arrives(other.server, 1000));
      CHECK_FALSE(arrives(held.server, 30));
      CHECK_FALSE(arrives(held.client, 0));
      const Connection more = other.connection();
      hold.hold({&more, 1}, other.client);
      REQUIRE(send(other.server, "z", 1, 0) == 1);
      CHECK_FALSE(arrives(other.client, 30));
    }
    CHECK(get(held.server) == "x");
    CHECK(get(held.client) == "y");
    CHECK_FALSE(NetworkHold(method, kRunId).remove_kept());
    for (int fd : {held.client, held.server, other.client, other.server}) close(fd);
  });
}

}  // namespace

TEST_CASE("network lock: holds its connections and no others, and ends with its object") {
  NSR_NEEDS_ROOT;
  for (const NetworkLock method : methods())
    for (const int family : {AF_INET, AF_INET6}) holds_its_connections(method, family);
}

TEST_CASE("network lock: ends with its process, however that ends") {
  NSR_NEEDS_ROOT;
  for (const NetworkLock method : methods())
    in_own_network([&] {
      const Pair ends = connect_ends(AF_INET);
      const Connection c = ends.connection();
      int made[2];
      REQUIRE(pipe(made) == 0);
      const pid_t child = fork();
      if (child == 0) {
        NetworkHold hold(method, kRunId);
        hold.hold({&c, 1}, ends.client);
        if (write(made[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
      }
      char x;
      REQUIRE(read(made[0], &x, 1) == 1);
      REQUIRE(send(ends.client, "x", 1, 0) == 1);
      CHECK_FALSE(arrives(ends.server, 30));
      kill(child, SIGKILL);
      REQUIRE(waitpid(child, nullptr, 0) == child);
      CHECK(get(ends.server) == "x");
      for (int fd : {ends.client, ends.server, made[0], made[1]}) close(fd);
    });
}

TEST_CASE("network lock: what a finished dump keeps stays until it is removed by its run id") {
  NSR_NEEDS_ROOT;
  for (const NetworkLock method : methods())
    in_own_network([&] {
      const Pair ends = connect_ends(AF_INET);
      {
        NetworkHold hold(method, kRunId);
        const Connection c = ends.connection();
        hold.hold({&c, 1}, ends.client);
        hold.keep();
      }
      REQUIRE(send(ends.client, "x", 1, 0) == 1);
      CHECK_FALSE(arrives(ends.server, 30));
      CHECK_FALSE(NetworkHold(method, "fedcba98-89ab-4cde-8fab-0123456789ab").remove_kept());
      CHECK(NetworkHold(method, kRunId).remove_kept());
      CHECK_FALSE(NetworkHold(method, kRunId).remove_kept());
      CHECK(get(ends.server) == "x");
      close(ends.client), close(ends.server);
    });
}

TEST_CASE("network lock: a thousand connections are one quick change") {
  NSR_NEEDS_ROOT;
  in_own_network([] {
    std::vector<Connection> many(1000);
    for (size_t i = 0; i < many.size(); i++) {
      for (auto* a : {&many[i].local, &many[i].peer}) {
        auto& in = reinterpret_cast<sockaddr_in&>(*a);
        in.sin_family = AF_INET;
        in.sin_addr.s_addr = htonl(0x0a000001 + static_cast<uint32_t>(i));
        in.sin_port = htons(a == &many[i].local ? 80 : 5000);
      }
    }
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    NetworkHold hold(NetworkLock::nftables, kRunId);
    const auto start = std::chrono::steady_clock::now();
    hold.hold(many, fd);
    const auto taken = std::chrono::steady_clock::now() - start;
    INFO(std::chrono::duration_cast<std::chrono::microseconds>(taken).count() << " us");
    CHECK(taken < std::chrono::milliseconds(500));
    close(fd);
  });
}

TEST_CASE("tcp: FIN_WAIT1, CLOSING and LAST_ACK come back as they were and end in peace") {
  NSR_NEEDS_ROOT;
  in_own_network([] {
    NetworkHold hold(NetworkLock::nftables, kRunId);
    const Pair a = connect_ends(AF_INET), b = connect_ends(AF_INET), c = connect_ends(AF_INET6);
    // Last acknowledgement: the peer closed, we close under the lock.
    REQUIRE(shutdown(c.client, SHUT_WR) == 0);
    wait_for_state(c.server, TCP_CLOSE_WAIT);
    wait_for_state(c.client, TCP_FIN_WAIT2);
    const Connection held[] = {a.connection(), b.connection(), c.connection()};
    hold.hold(held, a.client);
    REQUIRE(send(a.client, "left over", 9, 0) == 9);
    REQUIRE(shutdown(a.client, SHUT_WR) == 0);
    REQUIRE(shutdown(c.server, SHUT_WR) == 0);
    REQUIRE(state(a.client) == TCP_FIN_WAIT1);
    REQUIRE(state(c.server) == TCP_LAST_ACK);
    Round round({a.client, a.server, b.client, b.server, c.client, c.server}, hold);
    CHECK(state(round.fds[0]) == TCP_FIN_WAIT1);
    CHECK(state(round.fds[1]) == TCP_ESTABLISHED);
    CHECK(state(round.fds[2]) == TCP_ESTABLISHED);
    CHECK(state(round.fds[4]) == TCP_FIN_WAIT2);
    CHECK(state(round.fds[5]) == TCP_LAST_ACK);
    hold.release();
    round.restoring[0]->after_release();
    CHECK(get(round.fds[1]) == "left over");
    CHECK(get(round.fds[1]).empty());
    wait_for_state(round.fds[0], TCP_FIN_WAIT2);
    CHECK(get(round.fds[4]).empty());
    wait_for_state(round.fds[5], TCP_CLOSE);
    REQUIRE(send(round.fds[2], "on", 2, 0) == 2);
    CHECK(get(round.fds[3]) == "on");
  });
}

TEST_CASE("tcp: a connection attempt on the way is made again under its own number") {
  NSR_NEEDS_ROOT;
  in_own_network([] {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof a;
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&a), n) == 0);
    REQUIRE(listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&a), &n) == 0);
    const int loopback = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    NetworkHold hold(NetworkLock::nftables, kRunId);
    hold.hold_all(loopback);
    REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&a), n) == -1);
    REQUIRE(errno == EINPROGRESS);
    Round round({client}, hold);
    CHECK(state(round.fds[0]) == TCP_SYN_SENT);
    CHECK((fcntl(round.fds[0], F_GETFL) & O_NONBLOCK) != 0);
    hold.release();
    REQUIRE(arrives(listener, 5000));
    const int server = accept(listener, nullptr, nullptr);
    REQUIRE(server >= 0);
    wait_for_state(round.fds[0], TCP_ESTABLISHED);
    close(server), close(listener), close(loopback);
  });
}
