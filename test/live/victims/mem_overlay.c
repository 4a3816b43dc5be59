// Mapped files of an overlay filesystem, as containers have them: of the lower layer, changed (copied up) while mapped,
// of the upper layer; on a tmpfs that forbids execution, mappings stay so.
// mounts
#include <sys/mount.h>

#include "victim.h"

enum { PAGE = 4096 };

static void make(const char* name, uint64_t seed) {
  static char page[4 * PAGE];
  victim_fill(page, sizeof page, seed);
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  MUST(fd >= 0 && write(fd, page, sizeof page) == sizeof page && close(fd) == 0);
}

static char* map(const char* name, int prot, int flags) {
  int fd = open(name, (prot & PROT_WRITE) && flags == MAP_SHARED ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
  char* at = mmap(NULL, 4 * PAGE, prot, flags, fd, 0);
  MUST(fd >= 0 && at != MAP_FAILED);
  close(fd);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int rw = PROT_READ | PROT_WRITE;
  MUST(mkdir("t", 0755) == 0 && mount("t", "t", "tmpfs", MS_NOEXEC, NULL) == 0);
  MUST(mkdir("t/l", 0755) == 0 && mkdir("t/u", 0755) == 0 && mkdir("t/w", 0755) == 0 && mkdir("m", 0755) == 0);
  make("t/l/lower", 1), make("t/l/changed", 2), make("t/l/gone", 3);
  if (mount("o", "m", "overlay", 0, "lowerdir=t/l,upperdir=t/u,workdir=t/w")) victim_skip("no overlay here");
  make("m/upper", 4);
  char *lower = map("m/lower", PROT_READ, MAP_SHARED), *own = map("m/lower", rw, MAP_PRIVATE);
  own[PAGE] = 5;
  char* before = map("m/changed", PROT_READ, MAP_PRIVATE);
  MUST(before[0] != 77);
  char* changed = map("m/changed", rw, MAP_SHARED);
  changed[2 * PAGE] = 77;
  char* upper = map("m/upper", rw, MAP_SHARED);
  upper[0] = 6;
  char* direct = map("t/l/lower", PROT_READ, MAP_SHARED);

  victim_ready();

  CHECK_EQ(victim_compare(lower, 4 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(own, PAGE, 1), -1);
  CHECK_EQ(own[PAGE], 5);
  CHECK_EQ(changed[2 * PAGE], 77);
  CHECK_EQ(victim_compare(before, PAGE, 2), -1);
  CHECK_EQ(upper[0], 6);
  upper[1] = 8;
  char two[2] = "";
  int fd = open("m/upper", O_RDONLY | O_CLOEXEC);
  CHECK(read(fd, two, 2) == 2 && two[0] == 6 && two[1] == 8);
  CHECK_EQ(victim_compare(direct, 4 * PAGE, 1), -1);
  CHECK(mprotect(direct, PAGE, PROT_READ | PROT_EXEC) != 0, "a file of a noexec mount can be executed");
  CHECK(mprotect(lower, PAGE, rw) != 0 && errno == EACCES);
  close(fd);
  umount2("m", MNT_DETACH), umount2("t", MNT_DETACH);
  return victim_done();
}
