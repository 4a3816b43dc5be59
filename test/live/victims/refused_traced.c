// A task that another one traces cannot be stopped by us: refused with its pid, and the tracer keeps it.
// flavours: refused
// refused: pid \d+.*(traced|ptrace)
#include <sys/ptrace.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    _exit(3);
  }
  MUST(ptrace(PTRACE_SEIZE, child, NULL, PTRACE_O_TRACEEXIT) == 0);
  victim_ready();
  int status = 0;
  victim_go(child);
  for (;;) {
    CHECK(waitpid(child, &status, __WALL) == child);
    if (!WIFSTOPPED(status)) break;
    int signal = status >> 16 ? 0 : WSTOPSIG(status);
    CHECK(ptrace(PTRACE_CONT, child, NULL, (void*)(long)signal) == 0);
    if (victim_failures) break;
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3, "0x%x", status);
  return victim_done();
}
