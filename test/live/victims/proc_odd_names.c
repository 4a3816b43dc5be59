// Names that are no words: bytes that are no UTF-8, line breaks, brackets, nothing at all; of processes, threads and a
// zombie.
#include "victim.h"

static const char* names[] = {"\xff\xfe\x80\x81", ") Z 1 (x) R", "\n\t\\",   "",
                              "123456789012345",  " ",           "(sd-pam)", "a\nb:c\r"};
enum { N = sizeof names / sizeof names[0] };
static atomic_int started;

static void check(const char* name) {
  char now[16] = "?";
  CHECK(prctl(PR_GET_NAME, now) == 0 && strcmp(now, name) == 0, "\"%s\" instead of \"%s\"", now, name);
}

static void* work(void* name) {
  MUST(prctl(PR_SET_NAME, name) == 0);
  started++;
  victim_wait();
  check(name);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child[N];
  pthread_t thread[N];
  for (int i = 0; i < N; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      MUST(prctl(PR_SET_NAME, names[i]) == 0);
      if (i == 2) _exit(0);
      victim_wait();
      check(names[i]);
      victim_child_done();
    }
  }
  siginfo_t info;
  MUST(waitid(P_PID, child[2], &info, WEXITED | WNOWAIT) == 0);
  for (int i = 0; i < N; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)names[i]) == 0);
  while (started < N) sched_yield();
  MUST(prctl(PR_SET_NAME, ") S 0 ((") == 0);
  victim_ready();
  check(") S 0 ((");
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", child[2]);
  CHECK(strstr(victim_slurp(path), "(\n\t\\) Z") != NULL, "%s", victim_slurp(path));
  CHECK(waitpid(child[2], NULL, 0) == child[2]);
  for (int i = 0; i < N; i++) {
    pthread_kill(thread[i], VICTIM_GO);
    CHECK(pthread_join(thread[i], NULL) == 0);
    if (i != 2) victim_join(child[i]);
  }
  return victim_done();
}
