// What flags of signal actions do afterwards: SA_RESETHAND, SA_NODEFER, SA_NOCLDWAIT.
#include "victim.h"

static volatile int depth, deepest;

static void handler(int signal) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (signal == SIGUSR2 && depth < 3) raise(SIGUSR2);
  depth--;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction once = {.sa_handler = handler, .sa_flags = SA_RESETHAND},
                   nested = {.sa_handler = handler, .sa_flags = SA_NODEFER},
                   no_zombies = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}, now;
  MUST(sigaction(SIGUSR1, &once, NULL) == 0 && sigaction(SIGUSR2, &nested, NULL) == 0);
  MUST(sigaction(SIGCHLD, &no_zombies, NULL) == 0);
  victim_ready();
  raise(SIGUSR2);
  CHECK_EQ(deepest, 3);
  raise(SIGUSR1);
  CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
  pid_t child = fork();
  if (child == 0) _exit(0);
  CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
  return victim_done();
}
