// TCP sockets whose connection is over but not forgotten: data that came before the end, a reset or a refusal that
// nobody has been told of yet, TIME_WAIT; an accepted socket that comes before its listener; an attempt that goes on.
// engine: --tcp-established
#include <sys/ioctl.h>

#include "tcp.h"

static void join(int listener, int* client, int* server) {
  *client = socket(AF_INET, SOCK_STREAM, 0);
  MUST(connect(*client, (struct sockaddr*)&address, sizeof address) == 0);
  *server = accept(listener, NULL, NULL);
  MUST(*server >= 0);
}

static void reset(int fd) {
  const struct linger now = {1, 0};
  MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0 && close(fd) == 0);
}

static void expect(int fd, const char* text) {
  char got[64] = "";
  const ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
  CHECK(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "wanted %s, got %zd: %s", text, n, got);
}

static void expect_error(int fd, int error) {
  char c;
  CHECK(recv(fd, &c, 1, MSG_DONTWAIT) == -1);
  CHECK_EQ(errno, error);
  expect(fd, "");
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  // The listener gets a number above those of its connections.
  int low[2], client, server;
  MUST(pipe(low) == 0);
  const int listener = fcntl(listen_at(5), F_DUPFD, 100);
  close(listener - 1 > 100 ? listener - 1 : low[1] + 1);
  int early_client, early_server;
  join(listener, &early_client, &early_server);
  MUST(dup2(early_server, low[0]) == low[0] && close(early_server) == 0);
  early_server = low[0];

  // Reset with data before it; on the accepting and on the connecting side.
  join(listener, &client, &server);
  MUST(write(server, "last", 4) == 4);
  const int cut_client = client;
  for (int n = 0; n < 4;) MUST(ioctl(client, FIONREAD, &n) == 0);
  reset(server);
  wait_for(client, TCP_CLOSE);
  join(listener, &client, &server);
  const int cut_server = server;
  reset(client);
  wait_for(server, TCP_CLOSE);

  // Both halves are closed; the peer's last data has not been read. The kernel has forgotten the connection
  // (TIME_WAIT).
  join(listener, &client, &server);
  const int done = client;
  MUST(shutdown(client, SHUT_WR) == 0);
  wait_for(server, TCP_CLOSE_WAIT);
  MUST(write(server, "bye", 3) == 3 && close(server) == 0);
  wait_for(client, TCP_CLOSE);

  // Refused, nobody has asked yet.
  const int nobody = socket(AF_INET, SOCK_STREAM, 0), refused = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in closed = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof closed;
  MUST(bind(nobody, (struct sockaddr*)&closed, size) == 0 &&
       getsockname(nobody, (struct sockaddr*)&closed, &size) == 0);
  MUST(connect(refused, (struct sockaddr*)&closed, size) == -1 && errno == EINPROGRESS);
  wait_for(refused, TCP_CLOSE);

  // Read to the end and reset afterwards: told already.
  join(listener, &client, &server);
  const int told = client;
  reset(server);
  wait_for(client, TCP_CLOSE);
  char c;
  MUST(recv(client, &c, 1, 0) == -1 && errno == ECONNRESET);

  struct sockaddr_in name, now;
  size = sizeof name;
  MUST(getsockname(cut_client, (struct sockaddr*)&name, &size) == 0);

  victim_ready();

  CHECK(write(early_client, "hello", 5) == 5);
  CHECK(poll(&(struct pollfd){early_server, POLLIN, 0}, 1, 5000) == 1);
  expect(early_server, "hello");
  struct pollfd p = {cut_client, POLLIN | POLLRDHUP, 0};
  CHECK(poll(&p, 1, 0) == 1);
  CHECK_EQ(p.revents, POLLIN | POLLRDHUP | POLLERR | POLLHUP);
  expect(cut_client, "last"), expect_error(cut_client, ECONNRESET);
  expect_error(cut_server, ECONNRESET);
  expect(done, "bye"), expect(done, "");
  CHECK_EQ(state(done), TCP_CLOSE);
  CHECK(send(done, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  expect_error(refused, ECONNREFUSED);
  expect(told, "");
  size = sizeof now;
  CHECK(getsockname(cut_client, (struct sockaddr*)&now, &size) == 0 && now.sin_port == name.sin_port);
  CHECK(getpeername(cut_client, (struct sockaddr*)&now, &size) == -1 && errno == ENOTCONN);
  join(listener, &client, &server);
  CHECK(write(client, "new", 3) == 3);
  return victim_done();
}
