// Idle io_uring instances: sizes, positions behind many turns, completions that nobody has taken, requests that are
// written but not handed over, memory at the same addresses, one shared with a child, one that is disabled still, one
// that was never used, large ones, ones limited to a thread, large requests and completions, one that polls.
#include "uring.h"

enum { RINGS = 13 };

// An idle ring with IORING_SETUP_IOPOLL neither waits nor looks at a call's time limit: this one is no good, elsewhere
// EINVAL or EFAULT.
static bool is_polled(struct uring* r) {
  struct io_uring_getevents_arg bad = {.pad = 1, .ts = 1};
  return syscall(SYS_io_uring_enter, r->fd, 0, ~0u, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &bad, sizeof bad) ==
         0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const struct {
    unsigned entries, cq_entries, flags, turns;
  } kinds[RINGS] = {
      {8, 0, 0, 100},
      {1, 0, 0, 7},
      {256, 4096, 0, 300},
      {32, 0, 0, 0},
      {4096, 0, 0, 5000},
      {64, 0, IORING_SETUP_SUBMIT_ALL, 64},
      {16, 0, IORING_SETUP_COOP_TASKRUN, 33},
      {128, 0, IORING_SETUP_SQE128, 200},
      {128, 0, IORING_SETUP_CQE32, 200},
      {64, 0, 1u << 16 /* NO_SQARRAY */, 99},
      {16, 0, IORING_SETUP_SINGLE_ISSUER, 40},
      {16, 0, IORING_SETUP_SINGLE_ISSUER | (1u << 13) /* DEFER_TASKRUN */, 40},
      {32, 0, IORING_SETUP_IOPOLL, 50},
  };
  static struct uring ring[RINGS];
  static bool there[RINGS];
  for (int i = 0; i < RINGS; i++) {
    there[i] = uring_make(&ring[i], kinds[i].entries, kinds[i].cq_entries, kinds[i].flags);
    if (!there[i]) continue;
    uring_exercise(&ring[i], kinds[i].turns);
  }
  if (!there[0]) victim_skip("no io_uring here");
  MUST(!is_polled(&ring[0]) && (!there[12] || is_polled(&ring[12])));
  // completions not taken, requests not handed over
  char text[16] = "", late[16] = "";
  int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < 3; i++) uring_prepare(&ring[0], IORING_OP_NOP, -1, NULL, 0, 70u + (uint64_t)i);
  uring_prepare(&ring[0], IORING_OP_READ, exe, text, 16, 73);
  MUST(uring_enter(&ring[0], 4, 4) == 4);
  uring_prepare(&ring[0], IORING_OP_READ, exe, late, 16, 74);
  uring_prepare(&ring[0], IORING_OP_NOP, -1, NULL, 0, 75);
  struct uring disabled;
  bool has_disabled = uring_make(&disabled, 8, 0, IORING_SETUP_R_DISABLED);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    uring_exercise(&ring[2], 5);
    victim_child_done();
  }

  victim_ready();

  CHECK(!is_polled(&ring[0]) && (!there[12] || is_polled(&ring[12])), "polling is lost or new");
  uint64_t data;
  int result;
  for (uint64_t i = 70; i < 74; i++)
    CHECK(uring_take(&ring[0], &data, &result) && data == i && result == (i == 73 ? 16 : 0));
  CHECK(!uring_take(&ring[0], &data, &result) && text[1] == 'E');
  CHECK_EQ(uring_enter(&ring[0], 2, 2), 2);
  CHECK(uring_take(&ring[0], &data, &result) && data == 74 && result == 16 && late[1] == 'E');
  CHECK(uring_take(&ring[0], &data, &result) && data == 75 && result == 0);
  for (int i = 0; i < RINGS; i++)
    if (there[i] && i != 2) uring_exercise(&ring[i], 50);
  if (has_disabled) {
    CHECK(uring_enter(&disabled, 0, 0) < 0 && errno == EBADFD, "the ring is enabled");
    CHECK_EQ(syscall(SYS_io_uring_register, disabled.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0), 0);
    uring_exercise(&disabled, 20);
  }
  // it goes on from where both were at the fork
  victim_join(child);
  return victim_done();
}
