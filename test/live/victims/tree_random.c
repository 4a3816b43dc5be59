// A tree with a long random history: forks, CLONE_PARENT, sessions, groups, adopting processes, exits, waits.
// Its shape is compared from outside; NSR_SEED chooses another history.
// timeout: 30
#include <sched.h>

#include "victim.h"

enum { SLOTS = 300, STEPS = 450, MEMBERS = 40 };
enum op { FORK, SIBLING, ODD, SESSION, OWN_GROUP, JOIN_GROUP, ADOPT, EXIT, DIE, WAIT, OPS };
static const int weights[OPS] = {30, 6, 3, 8, 8, 8, 5, 18, 3, 8};

struct slot {
  pid_t pid;
  int op, argument;
  bool alive;
  atomic_int done;
};
static struct slot* slots;
static int me, used = 1;
static uint64_t state;

static unsigned pick(unsigned n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(state >> 33) % n;
}

static void live(int slot);

static void make(int slot, unsigned long flags) {
  pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
  MUST(pid >= 0);
  if (pid == 0) live(slot);
  slots[slot].pid = pid;
}

static void perform(enum op op, int argument) {
  switch (op) {
    case FORK:
      make(argument, SIGCHLD);
      break;
    case SIBLING:
      make(argument, SIGCHLD | CLONE_PARENT);
      break;
    case ODD:
      make(argument, SIGUSR2);
      break;
    case SESSION:
      setsid();
      break;
    case OWN_GROUP:
      setpgid(0, 0);
      break;
    case JOIN_GROUP:
      setpgid(0, getpgid(slots[argument].pid));
      break;
    case ADOPT:
      prctl(PR_SET_CHILD_SUBREAPER, 1);
      break;
    case WAIT:
      waitpid(-1, NULL, WNOHANG | __WALL);
      break;
    case EXIT:
    case DIE:
    case OPS:
      break;
  }
}

static void live(int slot) {
  me = slot;
  for (;;) {
    victim_wait();
    enum op op = slots[me].op;
    if (op == EXIT) _exit(me & 0xff);
    if (op == DIE) raise(SIGKILL);
    perform(op, slots[me].argument);
    slots[me].done = 1;
  }
}

static int random_member(void) {
  for (;;) {
    int i = (int)pick((unsigned)used);
    if (slots[i].alive) return i;
  }
}

static enum op random_op(void) {
  unsigned sum = 0, at;
  for (int i = 0; i < OPS; i++) sum += (unsigned)weights[i];
  at = pick(sum);
  for (int i = 0; i < OPS; i++) {
    if (at < (unsigned)weights[i]) return (enum op)i;
    at -= (unsigned)weights[i];
  }
  return WAIT;
}

static bool is_zombie(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const char* text = victim_slurp(path);
  return !*text || strstr(text, ") Z") || strstr(text, ") X");
}

static int step(int alive) {
  int member = random_member();
  enum op op = random_op();
  bool makes = op == FORK || op == SIBLING || op == ODD;
  if (makes && (alive >= MEMBERS || used == SLOTS)) return 0;
  if (member == 0 && op != FORK && op != ODD && op != WAIT) return 0;
  struct slot* s = &slots[member];
  s->op = (int)op;
  s->argument = makes ? used++ : random_member();
  s->done = 0;
  if (makes) slots[s->argument].alive = true;
  if (member == 0) {
    perform(op, s->argument);
    return makes;
  }
  victim_go(s->pid);
  if (op == EXIT || op == DIE) {
    while (!is_zombie(s->pid)) sched_yield();
    s->alive = false;
    return -1;
  }
  while (!s->done) sched_yield();
  return makes;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char* seed = getenv("NSR_SEED");
  state = seed ? strtoull(seed, NULL, 10) : 1;
  signal(SIGUSR2, SIG_IGN);
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  slots = (struct slot*)mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(slots != MAP_FAILED);
  slots[0].pid = getpid();
  slots[0].alive = true;
  int alive = 1;
  for (int i = 0; i < STEPS; i++) alive += step(alive);
  victim_ready();
  for (int i = 1; i < used; i++)
    if (slots[i].alive) kill(slots[i].pid, SIGKILL);
  while (waitpid(-1, NULL, __WALL) > 0) {
  }
  return victim_done();
}
