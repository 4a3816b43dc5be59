// A program in which somebody else's tracer has set a uprobe that has been hit: the kernel's page for it is refused by
// its kind, with the remedy, and the program goes on with its probe.
// flavours: refused
// refused: pid \d+ mapping .*uprobe
#include <linux/perf_event.h>

#include "victim.h"

__attribute__((noinline, noclone)) static int probed(int n) {
  __asm__ volatile("" : "+r"(n)::"memory");
  return n + 1;
}

// Offset in the program's file of what lies at this address.
static uint64_t file_offset(uintptr_t at) {
  FILE* f = fopen("/proc/self/maps", "re");
  char line[512];
  unsigned long start, end, from;
  uint64_t found = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &from) == 3 && at >= start && at < end) found = at - start + from;
  fclose(f);
  return found;
}

// A process that is none of the tree's: its maker is gone. The runner ends it.
static bool trace(pid_t target, int type, const char* exe, uint64_t offset) {
  int told[2];
  char ok = 0;
  MUST(pipe(told) == 0);
  pid_t maker = fork();
  if (maker == 0) {
    if (fork()) _exit(0);
    setsid();
    struct perf_event_attr attr = {
        .type = (uint32_t)type, .size = sizeof attr, .uprobe_path = (uintptr_t)exe, .probe_offset = offset};
    ok = syscall(SYS_perf_event_open, &attr, target, -1, -1, PERF_FLAG_FD_CLOEXEC) >= 0;
    if (write(told[1], &ok, 1) != 1 || !ok) _exit(1);
    close(told[0]), close(told[1]);
    for (;;) pause();
  }
  close(told[1]);
  MUST(waitpid(maker, NULL, 0) == maker && read(told[0], &ok, 1) == 1);
  close(told[0]);
  return ok;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int type = atoi(victim_slurp("/sys/bus/event_source/devices/uprobe/type"));
  char exe[PATH_MAX] = "";
  MUST(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
  if (type <= 0 || !trace(getpid(), type, exe, file_offset((uintptr_t)probed))) victim_skip("no uprobes here");
  MUST(probed(1) == 2 && strstr(victim_slurp("/proc/self/maps"), "[uprobes]"));

  victim_ready();

  CHECK_EQ(probed(5), 6);
  return victim_done();
}
