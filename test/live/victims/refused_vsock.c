// A vsock leads to the hypervisor: refused by protocol and reason.
// flavours: refused
// refused: pid \d+ fd \d+ socket:\[\d+\]: it is a socket of protocol AF_VSOCK
#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (fd < 0) victim_skip("no vsock here");
  victim_ready();
  CHECK(fcntl(fd, F_GETFD) >= 0);
  return victim_done();
}
