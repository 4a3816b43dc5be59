// futex wait without a timeout, woken after the restore.
#include <linux/futex.h>

#include "blocked.h"
#define CALL_NR SYS_futex
static atomic_int word = 5;

static void prepare(void) {}

static void call(void) {
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0), 0);
  CHECK_EQ(word, 6);
}

static void wake(void) {
  word = 6;
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

BLOCKED_MAIN_WAKE
