// Pages of memory that was never writable, changed as a debugger does it: text, read-only and inaccessible memory. The
// mapping stays one that is not accounted, in the smaps of parent and child.
#include "victim.h"

enum { PAGE = 4096 };

__attribute__((noinline, aligned(4096), section(".text.poked"))) static int poked(void) {
  int value;
  __asm__ volatile("mov $1111,%0" : "=r"(value));
  return value;
}

static int (*volatile call)(void) = poked;

static void poke(void* at, const void* bytes, size_t n) {
  int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (mem < 0 || pwrite(mem, bytes, n, (off_t)(uintptr_t)at) != (ssize_t)n) victim_skip("memory cannot be poked here");
  close(mem);
}

static void peek(void* at, void* bytes, size_t n) {
  int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  CHECK(pread(mem, bytes, n, (off_t)(uintptr_t)at) == (ssize_t)n);
  close(mem);
}

static char *readable, *hidden;

static void verify(void) {
  char text[8] = "";
  CHECK_EQ(call(), 2222);
  CHECK(strcmp(readable + PAGE, "peeked") == 0);
  CHECK(readable[0] == 0 && readable[2 * PAGE] == 0);
  peek(hidden + PAGE, text, 7);
  CHECK(strcmp(text, "hidden") == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  unsigned char* code = (unsigned char*)(uintptr_t)poked;
  int at = -1;
  for (int i = 0; i < 32; i++)
    if (memcmp(code + i, "\x57\x04\x00\x00", 4) == 0) at = i;
  MUST(at >= 0 && call() == 1111);
  poke(code + at, "\xae\x08\x00\x00", 4);  // 2222
  readable = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  hidden = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(readable != MAP_FAILED && hidden != MAP_FAILED);
  poke(readable + PAGE, "peeked", 7);
  poke(hidden + PAGE, "hidden", 7);
  pid_t child = victim_child(verify);
  victim_ready();
  verify();
  victim_join(child);
  return victim_done();
}
