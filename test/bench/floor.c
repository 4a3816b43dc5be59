// What the kernel takes at least for each of N threads, in microseconds:  bench_floor N
// "stop": PTRACE_SEIZE, INTERRUPT, wait, GETREGSET, DETACH. "make": clone3() with set_tid, and the thread's end.
#include <dirent.h>
#include <elf.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)   \
  do {                    \
    if (!(condition)) {   \
      perror(#condition); \
      exit(1);            \
    }                     \
  } while (0)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void* sleeper(void* unused) {
  for (;;) pause();
  return unused;
}

static pid_t start_sleepers(int n) {
  int ready[2];
  char byte;
  MUST(pipe(ready) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    for (int i = 1; i < n; i++) {
      pthread_t thread;
      MUST(pthread_create(&thread, &attributes, sleeper, NULL) == 0);
    }
    MUST(write(ready[1], "", 1) == 1);
    sleeper(NULL);
  }
  MUST(pid > 0 && read(ready[0], &byte, 1) == 1);
  return pid;
}

static double stop_all(pid_t pid, int n) {
  char path[64];
  int found = 0, status;
  pid_t* tids = calloc((size_t)n, sizeof *tids);
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* dir = opendir(path);
  MUST(tids && dir);
  for (struct dirent* e; (e = readdir(dir)) && found < n;)
    if (e->d_name[0] != '.') tids[found++] = atoi(e->d_name);
  closedir(dir);
  double begin = now();
  for (int i = 0; i < found; i++) MUST(ptrace(PTRACE_SEIZE, tids[i], 0, 0) == 0);
  for (int i = 0; i < found; i++) MUST(ptrace(PTRACE_INTERRUPT, tids[i], 0, 0) == 0);
  for (int i = 0; i < found; i++) MUST(waitpid(tids[i], &status, __WALL) == tids[i]);
  for (int i = 0; i < found; i++) {
    struct user_regs_struct registers;
    struct iovec io = {&registers, sizeof registers};
    MUST(ptrace(PTRACE_GETREGSET, tids[i], NT_PRSTATUS, &io) == 0);
  }
  for (int i = 0; i < found; i++) MUST(ptrace(PTRACE_DETACH, tids[i], 0, 0) == 0);
  double taken = now() - begin;
  free(tids);
  return taken / found;
}

// In a pid namespace of its own, where all ids are free. The threads end at once.
static void make_all(int n) {
  size_t stack = 4096;
  char* stacks =
      mmap(NULL, stack * (size_t)n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  MUST(stacks != MAP_FAILED);
  double begin = now();
  for (int i = 0; i < n; i++) {
    pid_t tid = 100 + i;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
        .stack = (uintptr_t)(stacks + stack * (size_t)i),
        .stack_size = stack,
        .set_tid = (uintptr_t)&tid,
        .set_tid_size = 1,
    };
    long result;
    __asm__ volatile(
        "syscall\n"
        "test %%rax, %%rax\n"
        "jnz 1f\n"
        "mov %[exit], %%eax\n"
        "xor %%edi, %%edi\n"
        "syscall\n"
        "1:"
        : "=a"(result)
        : "0"((long)SYS_clone3), "D"(&args), "S"(sizeof args), [exit] "i"(SYS_exit)
        : "rcx", "r11", "memory");
    MUST(result == tid);
  }
  printf("make %.1f us\n", (now() - begin) / n);
}

int main(int argc, char** argv) {
  int n = argc > 1 ? atoi(argv[1]) : 1000, status;
  pid_t pid = start_sleepers(n);
  printf("stop %.1f us\n", stop_all(pid, n));
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  fflush(stdout);
  struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
  pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  MUST(pid >= 0);
  if (pid == 0) {
    make_all(n);
    fflush(stdout);
    _exit(0);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  return status != 0;
}
