// Names: comm of the process and of a thread, the executable's link, and a command line that the process has
// overwritten.
#include "victim.h"

static atomic_int started;
extern char** environ;

static void* work(void* unused) {
  (void)unused;
  char now[16];
  prctl(PR_SET_NAME, "wörk)( er");
  started = 1;
  victim_wait();
  prctl(PR_GET_NAME, now);
  CHECK(strcmp(now, "wörk)( er") == 0, "thread name %s", now);
  return NULL;
}

static size_t slurp(const char* path, char* to, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, to, size);
  if (fd >= 0) close(fd);
  return n < 0 ? 0 : (size_t)n;
}

int main(int argc, char** argv) {
  static char exe[PATH_MAX], cmdline[4096], environment[4096], now[4096];
  victim_init(argc, argv);
  size_t line_size, environment_size;
  MUST(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
  // as setproctitle does: over the arguments, and beyond into the environment
  size_t room = strlen(environ[0]) + (size_t)(environ[0] - argv[0]);
  char* title = argv[0];
  memset(title, 0, room);
  snprintf(title, room,
           "victim: worker 3 of the pool, title longer than the arguments were, in that directory and so on %s",
           victim_dir);
  line_size = slurp("/proc/self/cmdline", cmdline, sizeof cmdline);
  environment_size = slurp("/proc/self/environ", environment, sizeof environment);
  MUST(line_size > 20);
  prctl(PR_SET_NAME, "name (1) x");
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();

  victim_ready();

  CHECK(slurp("/proc/self/cmdline", now, sizeof now) == line_size && memcmp(now, cmdline, line_size) == 0, "%s", now);
  CHECK(slurp("/proc/self/environ", now, sizeof now) == environment_size &&
        memcmp(now, environment, environment_size) == 0);
  memset(now, 0, sizeof now);
  CHECK(readlink("/proc/self/exe", now, sizeof now - 1) > 0 && strcmp(now, exe) == 0, "%s", now);
  prctl(PR_GET_NAME, now);
  CHECK(strcmp(now, "name (1) x") == 0, "name %s", now);
  strcpy(title, "changed again");
  CHECK(slurp("/proc/self/cmdline", now, sizeof now) > 0 && strcmp(now, "changed again") == 0, "%s", now);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
