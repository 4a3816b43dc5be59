// Keys of TCP MD5 signatures cannot be read back: refused, and the connection goes on.
// flavours: refused
// engine: --tcp-established
// refused: pid \d+ fd \d+ socket:\[\d+\]: it has keys of TCP MD5 signatures
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
  victim_ready();
  char text[8] = "";
  CHECK(write(client, "ping", 4) == 4 && read(server, text, 4) == 4 && strcmp(text, "ping") == 0);
  return victim_done();
}
