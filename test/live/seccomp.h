// Building blocks of the seccomp victims.
#ifndef NSR_TEST_LIVE_SECCOMP_H
#define NSR_TEST_LIVE_SECCOMP_H
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "victim.h"

// A filter which makes system call nr give `error` (or, with action, something else) and allows all others.
VICTIM_UNUSED static int filter_install(unsigned nr, unsigned action, unsigned flags) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 4, .filter = code};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define DENY(error) (SECCOMP_RET_ERRNO | (error))
#endif
