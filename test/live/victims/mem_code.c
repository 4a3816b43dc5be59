// Code that a program has made: in anonymous memory, in a memfd mapped twice (written here, run there), in a private
// copy of a file; in the low 2 GiB (MAP_32BIT), on a thread's stack behind its guard; guards in a file's mapping
// (Linux 6.15); pages given back to the kernel by advice (MADV_FREE, COLD, PAGEOUT).
#include "victim.h"

enum { PAGE = 4096 };
// mov $n, %eax; ret
static void put(char* at, int n) {
  at[0] = (char)0xb8;
  memcpy(at + 1, &n, 4);
  at[5] = (char)0xc3;
}
static int call(char* at) { return ((int (*)(void))(uintptr_t)at)(); }

static atomic_int ready, go;
static void* on_stack(void* expected) {
  char room[3 * PAGE];
  victim_fill(room, sizeof room, 9);
  ready = 1;
  while (!go) usleep(1000);
  CHECK_EQ(victim_compare(room, sizeof room, 9), -1);
  return expected;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC;
  char* own = mmap(NULL, PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* low = mmap(NULL, PAGE, rw | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_STACK, -1, 0);
  int memory = memfd_create("jit", MFD_CLOEXEC);
  MUST(own != MAP_FAILED && low != MAP_FAILED && memory >= 0 && ftruncate(memory, PAGE) == 0);
  char *write_here = mmap(NULL, PAGE, rw, MAP_SHARED, memory, 0),
       *run_there = mmap(NULL, PAGE, rx, MAP_SHARED, memory, 0);
  close(memory);
  int fd = open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  MUST(write_here != MAP_FAILED && run_there != MAP_FAILED && fd >= 0 && ftruncate(fd, 8 * PAGE) == 0);
  char* copy = mmap(NULL, PAGE, rw, MAP_PRIVATE, fd, 0);
  put(own, 1), put(low, 2), put(write_here, 3), put(copy, 4);
  MUST(mprotect(own, PAGE, rx) == 0 && mprotect(copy, PAGE, rx) == 0);
  char* guarded = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
  bool has_guard = madvise(guarded + 2 * PAGE, PAGE, 102 /* MADV_GUARD_INSTALL */) == 0;
  char* advised = mmap(NULL, 16 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  victim_fill(advised, 16 * PAGE, 5);
  MUST(madvise(advised, 4 * PAGE, 20 /* MADV_COLD */) == 0 &&
       madvise(advised + 4 * PAGE, 4 * PAGE, 21 /* MADV_PAGEOUT */) == 0);
  MUST(madvise(advised + 8 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
  char* freed = mmap(NULL, 4 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  victim_fill(freed, 4 * PAGE, 6);
  MUST(madvise(freed, 4 * PAGE, MADV_FREE) == 0);
  pthread_attr_t attr;
  pthread_t thread;
  MUST(pthread_attr_init(&attr) == 0 && pthread_attr_setguardsize(&attr, 16 * PAGE) == 0 &&
       pthread_attr_setstacksize(&attr, 64 * PAGE) == 0 && pthread_create(&thread, &attr, on_stack, &ready) == 0);
  while (!ready) usleep(1000);

  victim_ready();

  CHECK(call(own) == 1 && call(low) == 2 && call(run_there) == 3 && call(copy) == 4);
  put(write_here, 33);
  CHECK_EQ(call(run_there), 33);
  CHECK((uintptr_t)low < 1ul << 32);
  if (has_guard) {
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], guarded + PAGE, 1) == 1 && write(ends[1], guarded + 3 * PAGE, 1) == 1);
    CHECK(write(ends[1], guarded + 2 * PAGE, 1) < 0 && errno == EFAULT, "the guard in the file's mapping is gone");
  }
  CHECK_EQ(victim_compare(advised, 8 * PAGE, 5), -1);
  CHECK(advised[8 * PAGE] == 0 && advised[12 * PAGE - 1] == 0);
  for (int i = 0; i < 4; i++)
    CHECK(freed[i * PAGE] == 0 || victim_compare(freed + i * PAGE, PAGE, 6u + (uint64_t)i * (PAGE / 8)) == -1 || i > 0);
  go = 1;
  void* result = NULL;
  CHECK(pthread_join(thread, &result) == 0 && result == &ready);
  return victim_done();
}
