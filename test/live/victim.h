// Frame of a live-test victim: a program that builds some state, says that it is ready, is dumped and restored while it
// waits, and then verifies that state from inside.
//
//   int main(int argc, char **argv) {
//       victim_init(argc, argv);     // argv[1] is the run directory
//       ... build state; MUST() for what has to work ...
//       victim_ready();              // says "ready", returns when the runner says go
//       ... CHECK() each piece of the state ...
//       return victim_done();
//   }
//
// Ready goes through a FIFO that is opened, written and closed again, so that no descriptor of the frame is in the
// dump. Go is signal VICTIM_GO, blocked from the start and taken by sigwaitinfo(2), so that it needs no handler. A
// child or a second thread waits with victim_wait() for its parent's victim_go(). Failures are lines in DIR/result.
#ifndef NSR_TEST_LIVE_VICTIM_H
#define NSR_TEST_LIVE_VICTIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VICTIM_GO (SIGRTMIN + 14)
#define VICTIM_UNUSED __attribute__((unused))

static char victim_dir[PATH_MAX];
static atomic_int victim_failures;

// Appends one line to DIR/result. One write(2), so lines of several tasks do not mix.
VICTIM_UNUSED static void victim_line(const char* text, size_t size) {
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/result", victim_dir);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, text, size) != (ssize_t)size) _exit(98);
  close(fd);
}

VICTIM_UNUSED static void victim_say(const char* kind, const char* file, int line, int error, const char* format, ...) {
  char text[1024];
  const char* base = strrchr(file, '/');
  int n = snprintf(text, sizeof text - 2, "%s %s:%d pid %d tid %d: ", kind, base ? base + 1 : file, line, (int)getpid(),
                   (int)syscall(SYS_gettid));
  va_list args;
  va_start(args, format);
  n += vsnprintf(text + n, sizeof text - 2 - n, format, args);
  va_end(args);
  if (n > (int)sizeof text - 64) n = sizeof text - 64;
  n += snprintf(text + n, sizeof text - n, " (errno %d)\n", error);
  victim_line(text, n);
}

// CHECK(condition[, "format", ...]): a false condition is a failure of the restore; the program goes on.
#define CHECK(condition, ...)                                                     \
  do {                                                                            \
    if (!(condition) && atomic_fetch_add(&victim_failures, 1) < 40)               \
      victim_say("FAIL", __FILE__, __LINE__, errno, #condition "; " __VA_ARGS__); \
  } while (0)

// CHECK_EQ(a, b): both as long long, their values are shown.
#define CHECK_EQ(a, b)                                                                                                 \
  do {                                                                                                                 \
    long long check_a_ = (long long)(a), check_b_ = (long long)(b);                                                    \
    if (check_a_ != check_b_ && atomic_fetch_add(&victim_failures, 1) < 40)                                            \
      victim_say("FAIL", __FILE__, __LINE__, errno, "%s is %lld (0x%llx), should be %s = %lld (0x%llx)", #a, check_a_, \
                 (unsigned long long)check_a_, #b, check_b_, (unsigned long long)check_b_);                            \
  } while (0)

// MUST(condition): a false condition means that the test itself cannot run here; ends the program with status 99.
#define MUST(condition)                                                  \
  do {                                                                   \
    if (!(condition)) {                                                  \
      victim_say("BROKEN", __FILE__, __LINE__, errno, "%s", #condition); \
      _exit(99);                                                         \
    }                                                                    \
  } while (0)

VICTIM_UNUSED static void victim_skip(const char* reason) {
  char text[256];
  victim_line(text, snprintf(text, sizeof text, "SKIP %s\n", reason));
  _exit(77);
}

// Must be called before any thread is made: every thread inherits the blocked VICTIM_GO.
VICTIM_UNUSED static void victim_init(int argc, char** argv) {
  if (argc < 2 || strlen(argv[1]) >= sizeof victim_dir) _exit(97);
  strcpy(victim_dir, argv[1]);
  sigset_t go;
  sigemptyset(&go);
  sigaddset(&go, VICTIM_GO);
  MUST(sigprocmask(SIG_BLOCK, &go, NULL) == 0);
}

// Waits for one VICTIM_GO. sigwaitinfo is not restarted after a stop (signal(7)), hence the loop.
VICTIM_UNUSED static void victim_wait(void) {
  sigset_t go;
  siginfo_t info;
  sigemptyset(&go);
  sigaddset(&go, VICTIM_GO);
  while (sigwaitinfo(&go, &info) < 0) {
    if (errno != EINTR) {
      victim_say("FAIL", __FILE__, __LINE__, errno, "sigwaitinfo");
      _exit(1);
    }
  }
}

// Tells the runner that the state stands. words: extra words for it, "blocked TID NR" makes it wait until that thread
// (id as the program sees it) sits in system call NR before each dump; may be NULL.
VICTIM_UNUSED static void victim_announce(const char* words) {
  char path[PATH_MAX + 16], text[512];
  snprintf(path, sizeof path, "%s/ready", victim_dir);
  int n = snprintf(text, sizeof text, "ready %s\n", words ? words : "");
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0);
  MUST(write(fd, text, n) == n);
  close(fd);
}

VICTIM_UNUSED static void victim_ready(void) {
  victim_announce(NULL);
  victim_wait();
}

// True when the runner has said go; takes nothing away and needs no waiting: for busy loops.
VICTIM_UNUSED static bool victim_go_pending(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, VICTIM_GO) == 1;
}

VICTIM_UNUSED static void victim_go(pid_t pid) {
  if (kill(pid, VICTIM_GO) != 0) victim_say("FAIL", __FILE__, __LINE__, errno, "go to %d", (int)pid);
}

// Lets a child that sits in victim_wait() verify and end; its failures are its exit status.
VICTIM_UNUSED static void victim_join(pid_t pid) {
  int status = -1;
  victim_go(pid);
  CHECK(waitpid(pid, &status, 0) == pid, "child %d", (int)pid);
  CHECK(status == 0, "child %d ended with wait status 0x%x", (int)pid, status);
}

VICTIM_UNUSED static int victim_done(void) {
  if (victim_failures == 0) victim_line("PASS\n", 5);
  return victim_failures ? 1 : 0;
}

// End of a child of the root: only failures are told.
VICTIM_UNUSED static void victim_child_done(void) { _exit(victim_failures ? 1 : 0); }

VICTIM_UNUSED static double victim_now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

VICTIM_UNUSED static pid_t victim_tid(void) { return (pid_t)syscall(SYS_gettid); }

// A child that waits, verifies and ends.
VICTIM_UNUSED static pid_t victim_child(void (*verify)(void)) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  victim_wait();
  verify();
  victim_child_done();
  return 0;
}

// A page-sized or larger pattern which differs by seed and offset.
VICTIM_UNUSED static void victim_fill(void* start, size_t size, uint64_t seed) {
  uint64_t* word = (uint64_t*)start;
  for (size_t i = 0; i < size / 8; i++) word[i] = (seed + i) * 0x9e3779b97f4a7c15u ^ (i << 32);
}

// Offset of the first wrong byte, or -1.
VICTIM_UNUSED static long victim_compare(const void* start, size_t size, uint64_t seed) {
  const uint64_t* word = (const uint64_t*)start;
  for (size_t i = 0; i < size / 8; i++)
    if (word[i] != ((seed + i) * 0x9e3779b97f4a7c15u ^ (i << 32))) return (long)(i * 8);
  return -1;
}

// Reads a whole small file of /proc into a static buffer; "" when it cannot be read.
VICTIM_UNUSED static const char* victim_slurp(const char* path) {
  static _Thread_local char text[65536];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  size_t n = 0;
  for (ssize_t got; fd >= 0 && n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0;) n += got;
  if (fd >= 0) close(fd);
  text[n] = 0;
  return text;
}

// Value of "Key:" in /proc/self/status or the like, as a number in the given base; -1 when absent.
VICTIM_UNUSED static long long victim_status(const char* path, const char* key, int base) {
  const char* text = victim_slurp(path);
  size_t length = strlen(key);
  for (const char* line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (strncmp(line, key, length) == 0 && line[length] == ':')
      return (long long)strtoull(line + length + 1, NULL, base);
  return -1;
}

#endif
