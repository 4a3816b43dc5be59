// A changed page of the program's own text and of its read-only data.
#include "victim.h"

static const char constant[8192] __attribute__((aligned(4096))) = "constant";
__attribute__((noinline, aligned(4096), section(".text.patched"))) static int patched(void) {
  int value;
  __asm__ volatile("mov $1111,%0" : "=r"(value));
  return value;
}

static int (*volatile call)(void) = patched;

int main(int argc, char** argv) {
  victim_init(argc, argv);
  unsigned char* code = (unsigned char*)(uintptr_t)patched;
  unsigned char* page = (unsigned char*)((uintptr_t)code & ~4095ul);
  int at = -1;
  for (int i = 0; i < 32; i++)
    if (memcmp(code + i, "\x57\x04\x00\x00", 4) == 0) at = i;
  MUST(at >= 0 && call() == 1111);
  MUST(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  memcpy(code + at, "\xae\x08\x00\x00", 4);  // 2222
  MUST(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
  MUST(mprotect((void*)constant, 4096, PROT_READ | PROT_WRITE) == 0);
  strcpy((char*)constant, "changed");
  MUST(mprotect((void*)constant, 4096, PROT_READ) == 0);
  victim_ready();
  CHECK_EQ(call(), 2222);
  const char* volatile seen = constant;
  CHECK(strcmp(seen, "changed") == 0);
  return victim_done();
}
