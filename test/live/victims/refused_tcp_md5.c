// A connection with TCP MD5 signatures whose peer has closed its half is refused, and goes on.
// flavours: refused
// engine: --tcp-established
// refused: pid \d+ fd \d+ socket:\[\d+\]: it has TCP MD5 signatures and is in the state CLOSE_WAIT
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static void sign(int fd) {
  struct tcp_md5sig key = {.tcpm_keylen = 3, .tcpm_key = "abc"};
  const struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  memcpy(&key.tcpm_addr, &peer, sizeof peer);
  if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) != 0) victim_skip("a kernel without TCP_MD5SIG");
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  sign(listener), sign(client);
  MUST(bind(listener, (struct sockaddr*)&a, size) == 0 && listen(listener, 1) == 0);
  MUST(getsockname(listener, (struct sockaddr*)&a, &size) == 0 && connect(client, (struct sockaddr*)&a, size) == 0);
  const int server = accept(listener, NULL, NULL);
  close(listener);
  char text[8] = "";
  MUST(shutdown(server, SHUT_WR) == 0 && read(client, text, 1) == 0);
  victim_ready();
  CHECK(write(client, "ping", 4) == 4 && read(server, text, 4) == 4 && strcmp(text, "ping") == 0);
  return victim_done();
}
