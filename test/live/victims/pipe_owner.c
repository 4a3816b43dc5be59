// Pipes of a process that is not root: owner and mode, and they are opened again through /proc as /dev/stdout does it;
// and one whose mode was changed.
#include "victim.h"

static bool opens_again(int fd, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags | O_NONBLOCK) >= 0;
}

static void is(int fd, mode_t mode) {
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_uid == 77 && st.st_gid == 5 && st.st_mode == (S_IFIFO | mode), "%d:%d %o",
        st.st_uid, st.st_gid, st.st_mode);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(setresgid(5, 5, 5) == 0 && setresuid(77, 77, 77) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
  int plain[2], shared[2];
  MUST(pipe(plain) == 0 && pipe(shared) == 0 && fchmod(shared[0], 0646) == 0);
  victim_ready();
  is(plain[0], 0600);
  is(plain[1], 0600);
  is(shared[1], 0646);
  CHECK(opens_again(plain[1], O_WRONLY) && opens_again(plain[0], O_RDONLY) && opens_again(shared[0], O_RDWR));
  return victim_done();
}
