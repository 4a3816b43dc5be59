// TCP on the loopback device, for victims.
#ifndef NSR_TEST_LIVE_TCP_H
#define NSR_TEST_LIVE_TCP_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

static struct sockaddr_in address;  // of the last listener

VICTIM_UNUSED static int listen_at(int backlog) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof address;
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  MUST(bind(fd, (struct sockaddr*)&address, size) == 0 && listen(fd, backlog) == 0);
  MUST(getsockname(fd, (struct sockaddr*)&address, &size) == 0);
  return fd;
}

VICTIM_UNUSED static int state(int fd) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_state;
}

VICTIM_UNUSED static void wait_for(int fd, int wanted) {
  for (int i = 0; i < 2000 && state(fd) != wanted; i++) poll(NULL, 0, 1);
  MUST(state(fd) == wanted);
}

#endif
