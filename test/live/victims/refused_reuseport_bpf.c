// A BPF program that steers a group of SO_REUSEPORT cannot be read back: refused. A group without one is none of the
// reasons.
// flavours: refused
// refused: pid \d+ fd 4 socket:\[\d+\]: a BPF program steers its SO_REUSEPORT group
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static int member(int type) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const int fd = socket(AF_INET, type, 0), on = 1;
  MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 && bind(fd, (struct sockaddr*)&a, sizeof a) == 0);
  return fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  for (int fd = 3; fd < 20; fd++) close(fd);
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) victim_skip("a kernel without type information");
  const int plain = member(SOCK_STREAM), steered = member(SOCK_DGRAM);
  MUST(plain == 3 && steered == 4 && listen(plain, 1) == 0);
  struct sock_filter first[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const struct sock_fprog program = {1, first};
  MUST(setsockopt(steered, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0);

  victim_ready();

  // Still there: it can be taken away, once.
  const int none = 0;
  CHECK(setsockopt(steered, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof none) == 0);
  CHECK(setsockopt(steered, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof none) == -1 && errno == ENOENT);
  return victim_done();
}
