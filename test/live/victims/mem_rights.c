// What mprotect(2) may still do with a mapping (VM_MAYREAD, MAYWRITE, MAYEXEC): a shared mapping of a descriptor that
// wrote can be made writable, one of a descriptor that only read cannot, nor one that a seal forbids to write, nor a
// read-only SysV attachment; a private one can, and so can memory from behind PROT_NONE.
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096 };

static char* map(int fd, int prot, int flags) {
  char* at = mmap(NULL, 2 * PAGE, prot, flags, fd, 0);
  MUST(at != MAP_FAILED);
  return at;
}

static int made(const char* name) {
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  MUST(fd >= 0 && write(fd, "file", 4) == 4 && ftruncate(fd, 2 * PAGE) == 0);
  return fd;
}

static void check(char* at, int prot, int error, const char* what) {
  int result = mprotect(at, PAGE, prot);
  CHECK(error ? result < 0 && errno == error : result == 0, "%s: %d", what, result);
  if (result == 0 && prot & PROT_WRITE) {
    at[100]++;
    CHECK(at[100] == 1, "%s", what);
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int rw = PROT_READ | PROT_WRITE;
  char in_memory[64];
  snprintf(in_memory, sizeof in_memory, "/dev/shm/nsr-rights-%d", (int)getpid());
  const char* name[] = {"named", in_memory, "deleted"};
  char *readable[3], *none[3], *only[3], *only_private[3];
  for (int i = 0; i < 3; i++) {
    unlink(name[i]);
    int fd = made(name[i]), reader = open(name[i], O_RDONLY | O_CLOEXEC);
    MUST(reader >= 0);
    readable[i] = map(fd, PROT_READ, MAP_SHARED);
    none[i] = map(fd, PROT_NONE, MAP_SHARED);
    only[i] = map(reader, PROT_READ, MAP_SHARED);
    only_private[i] = map(reader, PROT_READ, MAP_PRIVATE);
    if (i) unlink(name[i]);
    close(fd), close(reader);
  }
  int memory = memfd_create("rights", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  MUST(memory >= 0 && ftruncate(memory, 2 * PAGE) == 0);
  char* of_memory = map(memory, PROT_READ, MAP_SHARED);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
  int memory_reader = open(path, O_RDONLY | O_CLOEXEC);
  char* memory_only = map(memory_reader, PROT_READ, MAP_SHARED);
  close(memory_reader);
  int sealed = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  MUST(sealed >= 0 && ftruncate(sealed, 2 * PAGE) == 0 && fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) == 0);
  char* of_sealed = map(sealed, PROT_READ, MAP_SHARED);
  char* shared = map(-1, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS);
  char* anonymous = map(-1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
  int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
  char *attached = shmat(id, NULL, 0), *attached_only = shmat(id, NULL, SHM_RDONLY);
  MUST(attached != (void*)-1 && attached_only != (void*)-1 && shmctl(id, IPC_RMID, NULL) == 0);
  MUST(mprotect(attached, 2 * PAGE, PROT_NONE) == 0);

  victim_ready();

  for (int i = 0; i < 3; i++) {
    CHECK(memcmp(readable[i], "file", 4) == 0);
    check(readable[i], rw, 0, "descriptor that writes");
    check(none[i], PROT_READ | PROT_EXEC, 0, "PROT_NONE of a file, executable");
    CHECK(mprotect(none[i], PAGE, rw) == 0 && none[i][100] == 1, "not the same file");
    check(only[i], rw, EACCES, "descriptor that only reads");
    CHECK(mprotect(only_private[i], PAGE, rw | PROT_EXEC) == 0);
    only_private[i][100] = 7;
    CHECK(readable[i][100] == 1, "private memory went to the file");
  }
  check(of_memory, rw, 0, "memfd");
  check(memory_only, rw, EACCES, "memfd opened for reading");
  check(of_sealed, rw, EACCES, "sealed memfd");
  check(shared, rw, 0, "shared anonymous");
  check(anonymous, rw | PROT_EXEC, 0, "anonymous");
  check(attached, rw, 0, "attached");
  check(attached_only, rw, EACCES, "attached for reading");
  CHECK(attached_only[100] == 1);
  unlink(name[0]);
  return victim_done();
}
