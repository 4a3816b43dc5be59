#include "engine/process/semaphore_undo.h"

#include <linux/kcmp.h>
#include <sched.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "engine/base/log.h"
#include "pidns/in_namespace.h"

namespace nsr {
namespace {

const Logger log("semaphores");

/// The fourth argument of semctl(2).
union SemArgument {
  int value;
  semid_ds* state;
  seminfo* info;
};

/// Two tasks without any list compare as equal. The engine's own, which it got with its first thread, is empty.
bool has_list(HostPid pid) {
  if (::unshare(CLONE_SYSVSEM)) return true;
  return ::syscall(SYS_kcmp, ::getpid(), pid.value, KCMP_SYSVSEM, 0, 0) > 0;
}

/// Whether some semaphore of the calling thread's IPC namespace was changed last by this process, or by anybody (pid
/// 0).
bool changed_by(HostPid pid) {
  seminfo info{};
  int last = ::semctl(0, 0, SEM_INFO, SemArgument{.info = &info});
  for (int i = 0; i <= last; i++) {
    semid_ds ds{};
    int set = ::semctl(i, 0, SEM_STAT, SemArgument{.state = &ds});
    if (set < 0 || ds.sem_otime == 0) continue;
    if (pid.value == 0) return true;
    for (unsigned long n = 0; n < ds.sem_nsems; n++)
      if (::semctl(set, static_cast<int>(n), GETPID) == pid.value) return true;
  }
  return false;
}

}  // namespace

void warn_of_undo(HostPid pid, bool has_threads) {
  if (!has_list(pid)) return;
  InNamespace there(open_namespace(std::to_string(pid.value), "ipc"), "ipc");
  if (changed_by(has_threads ? pid : HostPid(0)))
    log.warn(
        "pid %d: it may have semaphores with SEM_UNDO, which no kernel shows: its end in this dump gives them back, "
        "and so they stay after the restore",
        pid.value);
}

}  // namespace nsr
