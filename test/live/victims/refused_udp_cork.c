// A datagram that is not finished (MSG_MORE) cannot be kept: refused, and the datagram goes out whole afterwards.
// flavours: refused
// refused: pid \d+ fd \d+ socket:\[\d+\]: it holds back data of an unfinished datagram
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  const int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
  MUST(bind(receiver, (struct sockaddr*)&a, size) == 0 && getsockname(receiver, (struct sockaddr*)&a, &size) == 0);
  MUST(connect(sender, (struct sockaddr*)&a, size) == 0 && send(sender, "un", 2, MSG_MORE) == 2);
  victim_ready();
  char text[16] = "";
  CHECK(recv(receiver, text, sizeof text, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  CHECK(send(sender, "finished", 8, 0) == 8 && poll(&(struct pollfd){receiver, POLLIN, 0}, 1, 5000) == 1);
  CHECK(recv(receiver, text, sizeof text, 0) == 10 && strcmp(text, "unfinished") == 0, "%s", text);
  return victim_done();
}
