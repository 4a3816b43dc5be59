// Victims and baselines of memory_bench.py:  memory_victim MODE MIB [FILE]
// small, thp, holes, vmas, fork, reserve: make that memory, print the pid's line "ready", sleep for ever.
// memcpy: prints the milliseconds of a memcpy of MIB between touched buffers. write: those of writing a hot buffer of
// MIB to FILE. forks: those of 64 forks of a process with MIB of small pages.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char* map(size_t n) {
  char* at = mmap(NULL, n + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) exit(1);
  return (char*)(((uintptr_t)at + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
}

static void fill(char* at, size_t n) {
  for (size_t i = 0; i < n; i += 8) *(uint64_t*)(at + i) = i * 0x9e3779b97f4a7c15u;
}

// The dump must find no descriptor that leads out of the tree.
static void let_go(void) {
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  close(null);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* mode = argv[1];
  size_t n = strtoul(argv[2], NULL, 10) << 20;
  if (!strcmp(mode, "memcpy") || !strcmp(mode, "write")) {
    char *a = map(n), *b = map(n);
    fill(a, n);
    if (mode[0] == 'm') memset(b, 1, n);
    int fd = mode[0] == 'w' ? open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    double begin = now();
    if (mode[0] == 'm') memcpy(b, a, n);
    for (size_t i = 0; mode[0] == 'w' && i < n; i += 1 << 20)
      if (write(fd, a + i, 1 << 20) != 1 << 20) return 1;
    printf("%.1f\n", now() - begin);
    return 0;
  }
  if (!strcmp(mode, "forks")) {
    char* at = map(n);
    madvise(at, n, MADV_NOHUGEPAGE);
    fill(at, n);
    double begin = now();
    pid_t child[64];
    for (int i = 0; i < 64; i++)
      if ((child[i] = fork()) == 0) pause();
    printf("%.1f\n", now() - begin);
    for (int i = 0; i < 64; i++) kill(child[i], SIGKILL);
    return 0;
  }
  if (!strcmp(mode, "reserve")) {
    const size_t all = 1ul << 40;
    char* at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED || madvise(at, all, MADV_NOHUGEPAGE)) return 1;
    for (size_t i = 0; i < 16; i++) at[all / 16 * i] = 1;
  } else if (!strcmp(mode, "vmas")) {
    for (int i = 0; i < 10000; i++) {
      char* at = mmap(NULL, 8192, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (!(i & 1)) at[0] = 1;
    }
  } else {
    char* at = map(n);
    madvise(at, n, !strcmp(mode, "thp") ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    if (!strcmp(mode, "holes"))
      for (size_t i = 0; i < n; i += 8192) fill(at + i, 4096);
    else
      fill(at, n);
    if (!strcmp(mode, "fork"))
      for (int i = 0; i < 64; i++)
        if (fork() == 0) {
          let_go();
          for (;;) pause();
        }
  }
  puts("ready");
  fflush(stdout);
  let_go();
  for (;;) pause();
}
