// A process that shares its descriptor table (CLONE_FILES), and one that shares only its file-system state (CLONE_FS).
#include <sys/eventfd.h>

#include "share.h"

static int counter = -1;

static int with_files(void* unused) {
  (void)unused;
  victim_wait();
  int fd = eventfd(5, 0);  // appears in the parent's table too
  _exit(fd == counter + 1 && chdir("/") == 0 && umask(0) == 022 ? 0 : 1);
}

static int with_fs(void* unused) {
  (void)unused;
  victim_wait();
  close(counter);  // only here
  _exit(chdir("below") == 0 && umask(0111) == 022 ? 0 : 1);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  umask(022);
  MUST(mkdir("below", 0755) == 0);
  counter = eventfd(7, 0);
  MUST(counter >= 0);
  pid_t files = share_clone(with_files, NULL, CLONE_FILES), fs = share_clone(with_fs, NULL, CLONE_FS);
  victim_ready();
  pid_t me = getpid();
  CHECK(share_same(me, files, 2) && !share_same(me, files, 3) && !share_same(me, files, 1));
  CHECK(!share_same(me, fs, 2) && share_same(me, fs, 3) && !share_same(me, fs, 1));
  victim_join(files);
  uint64_t value = 0;
  CHECK(read(counter + 1, &value, 8) == 8 && value == 5);
  char now[PATH_MAX];
  CHECK(getcwd(now, sizeof now) && strlen(now) > 1);
  victim_join(fs);
  CHECK(getcwd(now, sizeof now) && strstr(now, "/below") != NULL, "cwd %s", now);
  CHECK_EQ(umask(0), 0111);
  CHECK(read(counter, &value, 8) == 8 && value == 7);
  return victim_done();
}
