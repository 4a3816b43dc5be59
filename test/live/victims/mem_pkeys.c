// Protection keys (pkeys(7)): several keys, one free in between, one key on parts of a mapping, one with no mapping,
// execute-only memory; the rights of each thread's register stay.
#include "victim.h"

enum { PAGE = 4096 };

static int key_of(const void* at) {
  char head[32];
  snprintf(head, sizeof head, "\n%lx-", (unsigned long)at);
  static char text[1 << 20];
  int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
  size_t n = 0;
  for (ssize_t got; (got = read(fd, text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
  close(fd);
  text[n] = 0;
  char* line = strncmp(text, head + 1, strlen(head + 1)) ? strstr(text, head) : text;
  line = line ? strstr(line, "ProtectionKey:") : NULL;
  return line ? atoi(line + 14) : -1;
}

static int readable(const char* at) {
  int fd[2];
  MUST(pipe(fd) == 0);
  int ok = write(fd[1], at, 1) == 1;
  close(fd[0]), close(fd[1]);
  return ok;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int key[5];
  for (int i = 0; i < 5; i++) key[i] = pkey_alloc(0, 0);
  if (key[0] < 0) victim_skip("this CPU or kernel has no protection keys");
  char* m = mmap((void*)0x340000000000, 16 * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  char* shared = mmap((void*)0x340000100000, 4 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  char* code = mmap((void*)0x340000200000, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  char* empty =
      mmap((void*)0x340000300000, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(m != MAP_FAILED && shared != MAP_FAILED && code != MAP_FAILED && empty != MAP_FAILED);
  victim_fill(m, 16 * PAGE, 1);
  victim_fill(shared, 4 * PAGE, 2);
  MUST(pkey_mprotect(m, 4 * PAGE, PROT_READ | PROT_WRITE, key[0]) == 0);
  MUST(pkey_mprotect(m + 4 * PAGE, 4 * PAGE, PROT_READ, key[2]) == 0);
  MUST(pkey_mprotect(shared, PAGE, PROT_READ | PROT_WRITE, key[2]) == 0);
  MUST(pkey_mprotect(empty, 4 * PAGE, PROT_READ | PROT_WRITE, key[4]) == 0);
  MUST(pkey_free(key[1]) == 0);
  memcpy(code, "\xb8\x39\x30\x00\x00\xc3", 6);  // mov $12345,%eax; ret
  MUST(mprotect(code, PAGE, PROT_EXEC) == 0);
  int code_key = key_of(code), next = pkey_alloc(0, 0);  // the kernel has taken a key for the code
  if (next > 0) MUST(pkey_free(next) == 0);
  MUST(pkey_set(key[0], PKEY_DISABLE_WRITE) == 0 && pkey_set(key[2], PKEY_DISABLE_ACCESS) == 0);

  victim_ready();

  CHECK_EQ(key_of(m), key[0]);
  CHECK_EQ(key_of(m + 4 * PAGE), key[2]);
  CHECK_EQ(key_of(m + 8 * PAGE), 0);
  CHECK_EQ(key_of(shared), key[2]);
  CHECK_EQ(key_of(empty), key[4]);
  CHECK_EQ(key_of(code), code_key);
  CHECK_EQ(pkey_get(key[0]), PKEY_DISABLE_WRITE);
  CHECK_EQ(pkey_get(key[2]), PKEY_DISABLE_ACCESS);
  CHECK(!readable(m + 5 * PAGE), "the key does not guard it");
  pkey_set(key[2], 0);
  CHECK(readable(m + 5 * PAGE));
  CHECK_EQ(victim_compare(m, 16 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(shared, 4 * PAGE, 2), -1);
  CHECK_EQ(((int (*)(void))(uintptr_t)code)(), 12345);
  CHECK_EQ(pkey_alloc(0, 0), next);
  return victim_done();
}
