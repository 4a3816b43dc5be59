// memfd in memory: without a name, mapped private and written, mapped shared by one and private by another, only mapped
// and closed, only a descriptor, sealed against future writes with a writable mapping left, sealed with a read-only
// mapping, larger than its data, mapped beyond its end, executable or not.
#include "victim.h"

enum { PAGE = 4096 };
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 32
#endif

static int make(const char* name, unsigned flags, int pages) {
  int fd = memfd_create(name, flags | MFD_CLOEXEC);
  MUST(fd >= 0 && ftruncate(fd, pages * PAGE) == 0);
  return fd;
}

static char* map(int fd, int pages, int prot, int flags, int from) {
  char* at = mmap(NULL, (size_t)pages * PAGE, prot, flags, fd, from * PAGE);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int rw = PROT_READ | PROT_WRITE;
  int nameless = make("", 0, 4);
  char* p = map(nameless, 4, rw, MAP_PRIVATE, 0);
  char* s = map(nameless, 2, rw, MAP_SHARED, 2);
  victim_fill(s, 2 * PAGE, 1);
  victim_fill(p, PAGE, 2);
  memcpy(p + 3 * PAGE, "changed", 7);

  int closed = make("closed one", 0, 8);
  char* c = map(closed, 8, rw, MAP_SHARED, 0);
  char* cp = map(closed, 4, rw, MAP_PRIVATE, 4);
  victim_fill(c + 5 * PAGE, PAGE, 3);
  cp[0] = 3;
  close(closed);

  int only = make("(deleted)", 0, 100);
  MUST(pwrite(only, "here", 4, 70 * PAGE) == 4 && lseek(only, 5, SEEK_SET) == 5);

  int future = make("future", MFD_ALLOW_SEALING, 4);
  char* f = map(future, 4, rw, MAP_SHARED, 0);
  victim_fill(f, PAGE, 4);
  int has_future = fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW) == 0;

  int sealed = make("sealed", MFD_ALLOW_SEALING, 4);
  MUST(pwrite(sealed, "sealed", 6, PAGE) == 6);
  MUST(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
  char* r = map(sealed, 4, PROT_READ, MAP_SHARED, 0);
  char* rp = map(sealed, 4, rw, MAP_PRIVATE, 0);
  memcpy(rp, "private", 7);

  int beyond = make("beyond", 0, 2);
  char* past = map(beyond, 8, rw, MAP_SHARED, 0);
  victim_fill(past, PAGE, 5);

  int noexec = memfd_create("noexec", MFD_NOEXEC_SEAL | MFD_CLOEXEC);
  int exec = memfd_create("exec", MFD_EXEC | MFD_ALLOW_SEALING | MFD_CLOEXEC);
  if (exec >= 0) MUST(fchmod(exec, 0755) == 0);

  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(victim_compare(s, 2 * PAGE, 11), -1);
    CHECK(c[0] == 77 && memcmp(rp, "private", 7) == 0);
    past[PAGE] = 12;
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(victim_compare(s, PAGE, 1), -1);
  CHECK_EQ(victim_compare(p, PAGE, 2), -1);
  CHECK(p[PAGE] == 0 && memcmp(p + 3 * PAGE, "changed", 7) == 0);
  victim_fill(s, 2 * PAGE, 11);
  CHECK_EQ(victim_compare(p + 2 * PAGE, PAGE, 11), -1);
  CHECK_EQ(victim_compare(c + 5 * PAGE, PAGE, 3), -1);
  CHECK(cp[0] == 3 && c[4 * PAGE] == 0);
  CHECK_EQ(victim_compare(cp + PAGE, PAGE, 3), -1);
  c[0] = 77;
  char word[8] = "";
  struct stat st;
  CHECK(pread(only, word, 4, 70 * PAGE) == 4 && memcmp(word, "here", 4) == 0 && lseek(only, 0, SEEK_CUR) == 5);
  CHECK(fstat(only, &st) == 0 && st.st_size == 100 * PAGE && st.st_blocks == 8);
  CHECK_EQ(victim_compare(f, PAGE, 4), -1);
  f[PAGE] = 1;  // still writable
  if (has_future) {
    CHECK(fcntl(future, F_GET_SEALS) == (F_SEAL_FUTURE_WRITE | F_SEAL_GROW));
    CHECK(mmap(NULL, PAGE, rw, MAP_SHARED, future, 0) == MAP_FAILED && errno == EPERM);
  }
  CHECK(memcmp(r + PAGE, "sealed", 6) == 0 && memcmp(rp, "private", 7) == 0 && memcmp(rp + PAGE, "sealed", 6) == 0);
  CHECK_EQ(fcntl(sealed, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
  CHECK_EQ(victim_compare(past, PAGE, 5), -1);
  victim_join(child);
  CHECK_EQ(past[PAGE], 12);
  if (noexec >= 0)
    CHECK(fcntl(noexec, F_GET_SEALS) == F_SEAL_EXEC && fstat(noexec, &st) == 0 && (st.st_mode & 0777) == 0666);
  if (exec >= 0) CHECK(fcntl(exec, F_GET_SEALS) == 0 && fstat(exec, &st) == 0 && (st.st_mode & 0777) == 0755);
  return victim_done();
}
