#include "pidns/clone3.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "arch/clone_vm.h"

namespace nsr {
namespace {

clone_args arguments(uint64_t flags, const NsPid& pid) {
  clone_args args{};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  if (pid) {
    args.set_tid = reinterpret_cast<uint64_t>(&pid.value);
    args.set_tid_size = 1;
  }
  return args;
}

}  // namespace

int32_t clone3_fork(uint64_t flags, NsPid pid) {
  clone_args args = arguments(flags, pid);
  return static_cast<int32_t>(::syscall(SYS_clone3, &args, sizeof args));
}

int32_t clone3_vfork(NsPid pid, int (*fn)(void*), void* arg) {
  clone_args args = arguments(CLONE_VM | CLONE_VFORK, pid);
  long child = nsr_clone3_vm(&args, sizeof args, fn, arg);
  if (child < 0) {
    errno = static_cast<int>(-child);
    return -1;
  }
  return static_cast<int32_t>(child);
}

}  // namespace nsr
