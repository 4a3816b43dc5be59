// Keys of TCP MD5 signatures: of listeners (an address, a prefix, IPv6, v4-mapped), and of connections that go on
// signed.
// engine: --tcp-established
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

static struct sockaddr_storage loopback(int family, bool mapped) {
  struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
  if (family == AF_INET) ((struct sockaddr_in*)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6) ((struct sockaddr_in6*)&a)->sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
  const struct in6_addr v4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};
  if (mapped) ((struct sockaddr_in6*)&a)->sin6_addr = v4;
  return a;
}

// An empty key takes the key of that address away: ENOENT says that there was none.
static int sign(int fd, struct sockaddr_storage peer, int prefix, const char* text) {
  struct tcp_md5sig key = {.tcpm_flags = prefix ? TCP_MD5SIG_FLAG_PREFIX : 0, .tcpm_prefixlen = (uint8_t)prefix};
  key.tcpm_keylen = (uint16_t)strlen(text);
  memcpy(key.tcpm_key, text, strlen(text));
  memcpy(&key.tcpm_addr, &peer, sizeof peer);
  return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key);
}

struct pair {
  struct sockaddr_storage to;  // the listener, with its port
  int family, listener, client, server;
};

static int client_of(const struct pair* p, const char* key) {
  const int fd = socket(p->family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_storage peer = p->to;
  ((struct sockaddr_in*)&peer)->sin_port = 0;
  if (key) CHECK(sign(fd, peer, 0, key) == 0);
  connect(fd, (const struct sockaddr*)&p->to, sizeof p->to);
  return fd;
}

static bool connects(int fd, int milliseconds) {
  struct pollfd p = {fd, POLLOUT, 0};
  return poll(&p, 1, milliseconds) == 1 && !(p.revents & POLLERR);
}

static struct pair make(int family, bool mapped, int prefix, const char* key) {
  struct pair p = {.to = loopback(family, mapped), .family = family};
  socklen_t size = sizeof p.to;
  p.listener = socket(family, SOCK_STREAM, 0);
  if (sign(p.listener, p.to, prefix, key) != 0) victim_skip("a kernel without TCP_MD5SIG");
  MUST(bind(p.listener, (struct sockaddr*)&p.to, size) == 0 && listen(p.listener, 3) == 0);
  MUST(getsockname(p.listener, (struct sockaddr*)&p.to, &size) == 0);
  p.client = client_of(&p, key);
  MUST(connects(p.client, 10000));
  MUST((p.server = accept(p.listener, NULL, NULL)) >= 0);
  return p;
}

static void talk(int from, int to, const char* text) {
  char got[16] = "";
  CHECK(write(from, text, strlen(text)) == (ssize_t)strlen(text));
  struct pollfd p = {to, POLLIN, 0};
  CHECK(poll(&p, 1, 10000) == 1 && read(to, got, sizeof got - 1) > 0 && strcmp(got, text) == 0, "got %s", got);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct pair all[] = {make(AF_INET, false, 0, "secret"), make(AF_INET, false, 8, "of eight bits"),
                       make(AF_INET6, false, 0, "six"), make(AF_INET6, true, 0, "mapped")};
  const char* keys[] = {"secret", "of eight bits", "six", "mapped"};
  const int prefixes[] = {0, 8, 0, 0};
  MUST(write(all[0].client, "queued", 6) == 6);

  victim_ready();

  for (int i = 0; i < 4; i++) {
    struct pair* p = &all[i];
    char text[8] = "";
    if (i == 0) CHECK(read(p->server, text, 6) == 6 && strcmp(text, "queued") == 0);
    talk(p->client, p->server, "ping"), talk(p->server, p->client, "pong");
    // Only who has the key is let in.
    const int friend = client_of(p, keys[i]), stranger = client_of(p, NULL);
    CHECK(connects(friend, 10000), "case %d", i);
    const int accepted = accept(p->listener, NULL, NULL);
    CHECK(accepted >= 0);
    talk(friend, accepted, "hello");
    CHECK(!connects(stranger, 100), "case %d", i);
    struct sockaddr_storage peer = p->to;
    ((struct sockaddr_in*)&peer)->sin_port = 0;
    CHECK(sign(p->listener, peer, prefixes[i], "") == 0, "case %d", i);
    CHECK(sign(p->client, peer, 0, "") == 0 && sign(p->client, peer, 0, "") == -1, "case %d", i);
    close(friend), close(accepted), close(stranger);
  }
  return victim_done();
}
