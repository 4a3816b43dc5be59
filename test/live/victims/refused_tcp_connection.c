// A TCP connection is refused without --tcp-established: its addresses and the option are named, nothing is disturbed.
// flavours: refused
// refused: pid \d+ fd \d+ socket:\[\d+\]: it is a TCP connection from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+ \(ESTABLISHED\), whose other end is with pid \d+ \(refused_tcp_con\).*--tcp-established
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  MUST(bind(listener, (struct sockaddr*)&a, size) == 0 && listen(listener, 1) == 0);
  MUST(getsockname(listener, (struct sockaddr*)&a, &size) == 0 && connect(client, (struct sockaddr*)&a, size) == 0);
  int server = accept(listener, NULL, NULL);
  victim_ready();
  char text[8] = "";
  CHECK(write(client, "ping", 4) == 4 && read(server, text, 4) == 4 && strcmp(text, "ping") == 0);
  return victim_done();
}
