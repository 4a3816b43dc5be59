// A descriptor table without a free number below its limit.
#include <sys/resource.h>

#include "victim.h"

enum { LIMIT = 200 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit limit;
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = LIMIT;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  victim_announce(NULL);
  int last = -1, count = 0;
  for (int fd; (fd = count % 2 ? dup(0) : open("/dev/null", O_RDWR)) >= 0; count++) last = fd;
  MUST(errno == EMFILE && last == LIMIT - 1);
  victim_wait();
  for (int fd = 0; fd < LIMIT; fd++) CHECK(fcntl(fd, F_GETFD) == 0, "%d", fd);
  CHECK(open("/dev/null", O_RDWR) < 0 && errno == EMFILE);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == LIMIT);
  for (int fd = 3; fd < 20; fd++) close(fd);
  return victim_done();
}
