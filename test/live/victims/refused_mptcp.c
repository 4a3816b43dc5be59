// A connection of multipath TCP is refused and goes on.
// flavours: refused
// engine: --tcp-established
// refused: pid \d+ fd \d+ socket:\[\d+\]: it is a connection of multipath TCP
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

enum { MPTCP = 262 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  const int listener = socket(AF_INET, SOCK_STREAM, MPTCP), client = socket(AF_INET, SOCK_STREAM, MPTCP);
  if (listener < 0) victim_skip("a kernel without multipath TCP");
  MUST(bind(listener, (struct sockaddr*)&a, size) == 0 && listen(listener, 1) == 0);
  MUST(getsockname(listener, (struct sockaddr*)&a, &size) == 0 && connect(client, (struct sockaddr*)&a, size) == 0);
  const int server = accept(listener, NULL, NULL);
  victim_ready();
  char text[8] = "";
  CHECK(write(client, "ping", 4) == 4 && read(server, text, 4) == 4 && strcmp(text, "ping") == 0);
  return victim_done();
}
