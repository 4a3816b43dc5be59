// memfd: every seal, executable or not, holes, opened again read-only and as a path, deep position, a name of all
// bytes, one that was passed to a child after growing, and one that is only mapped.
#include <sys/mman.h>

#include "victim.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC 16U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static int kernel_knows_exec = 1;

static int make(const char* name, unsigned flags, off_t size) {
  int fd = memfd_create(name, kernel_knows_exec ? flags : flags & ~(MFD_EXEC | MFD_NOEXEC_SEAL));
  MUST(fd >= 0 && ftruncate(fd, size) == 0);
  return fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const int seals[] = {F_SEAL_SEAL,
                              F_SEAL_SHRINK,
                              F_SEAL_GROW,
                              F_SEAL_WRITE,
                              F_SEAL_FUTURE_WRITE,
                              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
                              0};
  enum { SEALS = sizeof seals / sizeof *seals };
  int sealed[SEALS];
  for (int i = 0; i < SEALS; i++) {
    sealed[i] = make("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC, 8192);
    MUST(pwrite(sealed[i], "content", 7, 100) == 7 && (seals[i] == 0 || fcntl(sealed[i], F_ADD_SEALS, seals[i]) == 0));
  }
  int probe = memfd_create("", MFD_EXEC);
  kernel_knows_exec = probe >= 0;  // Linux 6.3
  close(probe);
  int never = make("cannot be sealed", 0, 1), noexec = make("", MFD_NOEXEC_SEAL, 4096),
      exec = make("x", MFD_EXEC, 4096);
  int sparse = make("a\tname (deleted) \xff", 0, 1l << 33);
  MUST(pwrite(sparse, "far", 3, 1l << 32) == 3 && lseek(sparse, 12345678901, SEEK_SET) == 12345678901);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", sparse);
  int reader = open(path, O_RDONLY), only_path = open(path, O_PATH), writer = open(path, O_WRONLY | O_APPEND);
  int mapped = make("mapped", MFD_CLOEXEC, 4096);
  char* memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
  MUST(memory != MAP_FAILED && close(mapped) == 0 && strcpy(memory, "shared"));
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK(strcmp(memory, "shared") == 0 && strcpy(memory, "by the child"));
    CHECK(pwrite(sparse, "FAR", 3, 1l << 32) == 3);
    victim_child_done();
  }
  int odd = make("odd", MFD_CLOEXEC, 5001);
  MUST(pwrite(odd, "end", 3, 4998) == 3);
  victim_ready();
  struct stat size;
  CHECK(fstat(odd, &size) == 0 && size.st_size == 5001, "%ld bytes", (long)size.st_size);
  victim_join(child);
  for (int i = 0; i < SEALS; i++) {
    char seen[8] = "";
    CHECK_EQ(fcntl(sealed[i], F_GET_SEALS), seals[i]);
    CHECK(pread(sealed[i], seen, 7, 100) == 7 && strcmp(seen, "content") == 0);
    CHECK((pwrite(sealed[i], "x", 1, 0) == 1) == !(seals[i] & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)), "%x", seals[i]);
    CHECK((ftruncate(sealed[i], 4096) == 0) == !(seals[i] & F_SEAL_SHRINK), "%x", seals[i]);
  }
  CHECK_EQ(fcntl(never, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_EQ(fcntl(noexec, F_GET_SEALS), kernel_knows_exec ? F_SEAL_EXEC : F_SEAL_SEAL);
  struct stat st;
  CHECK(fstat(noexec, &st) == 0 && (st.st_mode & 07777) == (kernel_knows_exec ? 0666 : 0777));
  CHECK(fstat(exec, &st) == 0 && (st.st_mode & 07777) == 0777);
  CHECK(fstat(only_path, &st) == 0 && st.st_size == 1l << 33 && st.st_blocks < 64);
  CHECK_EQ(lseek(sparse, 0, SEEK_CUR), 12345678901);
  char seen[4] = "";
  CHECK(pread(reader, seen, 3, 1l << 32) == 3 && strcmp(seen, "FAR") == 0);
  CHECK(pwrite(reader, "x", 1, 0) < 0 && fcntl(writer, F_GETFL) & O_APPEND);
  CHECK(strcmp(memory, "by the child") == 0);
  return victim_done();
}
