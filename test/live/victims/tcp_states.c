// TCP connections in the states that last: an attempt without an answer, FIN_WAIT1 with a full window and data behind
// it, FIN_WAIT2, CLOSE_WAIT, LAST_ACK with data that the peer has no room for; corked data, urgent data read in line, a
// window of zero, segments of odd sizes; both ends in the tree.
// engine: --tcp-established
#include <linux/filter.h>
#include <sys/ioctl.h>

#include "tcp.h"

struct ends {
  int client, server;
};

static struct ends join(int listener) {
  struct ends e = {socket(AF_INET, SOCK_STREAM, 0), -1};
  MUST(connect(e.client, (struct sockaddr*)&address, sizeof address) == 0);
  e.server = accept(listener, NULL, NULL);
  MUST(e.server >= 0);
  return e;
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static int get(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

// Pieces of odd sizes until no more goes in. Every byte tells its place.
static size_t fill(int fd) {
  unsigned char piece[4001];
  size_t sent = 0;
  for (;;) {
    const size_t size = 1 + (sent * 7919) % sizeof piece;
    for (size_t i = 0; i < size; i++) piece[i] = (unsigned char)((sent + i) * 31 >> 3);
    const ssize_t n = send(fd, piece, size, MSG_DONTWAIT);
    if (n <= 0) return sent;
    sent += (size_t)n;
  }
}

// Reads to the end of the stream and wants what fill() has written.
static void drain(int fd, size_t wanted) {
  unsigned char piece[65536];
  size_t at = 0;
  for (;;) {
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 8000) != 1) break;
    const ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++, at++)
      if (piece[i] != (unsigned char)(at * 31 >> 3)) {
        CHECK(false, "byte %zu differs", at);
        return;
      }
  }
  CHECK(at == wanted, "%zu of %zu bytes", at, wanted);
}

static void expect(int fd, const char* text) {
  char got[64] = "";
  size_t n = 0;
  while (n < strlen(text) && poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000) == 1) {
    const ssize_t more = recv(fd, got + n, strlen(text) - n, 0);
    if (more <= 0) break;
    n += (size_t)more;
  }
  CHECK(strcmp(got, text) == 0, "wanted %s, got %s", text, got);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int listener = listen_at(20);
  set(listener, SOL_SOCKET, SO_RCVBUF, 30000);  // accepted sockets have it, too
  struct ends fin1 = join(listener), fin2 = join(listener), last = join(listener), cork = join(listener),
              urgent = join(listener), zero = join(listener), options = join(listener);
  const size_t queued1 = fill(fin1.client);
  MUST(shutdown(fin1.client, SHUT_WR) == 0 && state(fin1.client) == TCP_FIN_WAIT1);
  MUST(shutdown(fin2.client, SHUT_WR) == 0);
  wait_for(fin2.client, TCP_FIN_WAIT2), wait_for(fin2.server, TCP_CLOSE_WAIT);
  MUST(write(fin2.server, "late", 4) == 4);
  // LAST_ACK: the other end closed first, ours has data that finds no room.
  MUST(shutdown(last.server, SHUT_WR) == 0);
  wait_for(last.client, TCP_CLOSE_WAIT);
  const size_t queued2 = fill(last.client);
  MUST(shutdown(last.client, SHUT_WR) == 0 && state(last.client) == TCP_LAST_ACK);
  set(cork.client, IPPROTO_TCP, TCP_CORK, 1);
  MUST(write(cork.client, "corked", 6) == 6);
  set(urgent.server, SOL_SOCKET, SO_OOBINLINE, 1);
  // Without SO_PEEK_OFF (TCP has it since Linux 6.9) a dump cannot look behind a mark of urgent data, and is refused.
  const int marks = setsockopt(urgent.server, SOL_SOCKET, SO_PEEK_OFF, &(int){-1}, sizeof(int)) == 0 ? MSG_OOB : 0;
  MUST(write(urgent.client, "ab", 2) == 2 && send(urgent.client, "U", 1, marks) == 1 &&
       write(urgent.client, "cd", 2) == 2);
  for (int n = 0; n < 5;)
    MUST(recv(urgent.server, &(char[8]){0}, 8, MSG_PEEK) >= 0 && ioctl(urgent.server, FIONREAD, &n) == 0);
  const size_t queued3 = fill(zero.client);
  set(options.client, IPPROTO_TCP, TCP_USER_TIMEOUT, 54321);
  set(options.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 70000);
  set(options.client, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(options.client, IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(options.client, IPPROTO_TCP, TCP_INQ, 1);
  MUST(setsockopt(options.client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
  // An attempt that nobody answers: what comes to the listener is filtered out.
  const int deaf = listen_at(5);
  const int first = socket(AF_INET, SOCK_STREAM, 0), attempt = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  MUST(connect(first, (struct sockaddr*)&address, sizeof address) == 0);
  const int taken = accept(deaf, NULL, NULL);
  struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog filter = {1, &nothing};
  MUST(setsockopt(deaf, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0);
  MUST(connect(attempt, (struct sockaddr*)&address, sizeof address) == -1 && errno == EINPROGRESS);
  MUST(state(attempt) == TCP_SYN_SENT);

  victim_ready();

  CHECK_EQ(state(fin1.client), TCP_FIN_WAIT1);
  CHECK_EQ(state(fin2.client), TCP_FIN_WAIT2);
  CHECK_EQ(state(fin2.server), TCP_CLOSE_WAIT);
  CHECK_EQ(state(last.client), TCP_LAST_ACK);
  drain(fin1.server, queued1);
  CHECK(write(fin1.server, "back", 4) == 4);
  expect(fin1.client, "back");
  expect(fin2.client, "late");
  CHECK(write(fin2.server, "r", 1) == 1 && shutdown(fin2.server, SHUT_WR) == 0);
  expect(fin2.client, "r");
  drain(last.server, queued2);
  CHECK_EQ(get(cork.client, IPPROTO_TCP, TCP_CORK), 1);
  set(cork.client, IPPROTO_TCP, TCP_CORK, 0);
  expect(cork.server, "corked");
  expect(urgent.server, "abUcd");
  CHECK(shutdown(zero.client, SHUT_WR) == 0);
  drain(zero.server, queued3);
  CHECK_EQ(get(options.client, IPPROTO_TCP, TCP_USER_TIMEOUT), 54321);
  CHECK_EQ(get(options.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 70000);
  CHECK_EQ(get(options.client, IPPROTO_TCP, TCP_KEEPCNT), 4);
  CHECK_EQ(get(options.client, IPPROTO_TCP, TCP_INQ), 1);
  char name[16] = "";
  socklen_t size = sizeof name;
  CHECK(getsockopt(options.client, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 && strcmp(name, "reno") == 0, "%s",
        name);
  CHECK(setsockopt(deaf, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)) == 0);
  CHECK(poll(&(struct pollfd){attempt, POLLOUT, 0}, 1, 8000) == 1);
  const int answered = accept(deaf, NULL, NULL);
  CHECK(answered >= 0 && write(attempt, "in", 2) == 2);
  expect(answered, "in");
  CHECK(write(first, "too", 3) == 3);
  expect(taken, "too");
  return victim_done();
}
