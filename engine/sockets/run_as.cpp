#include "engine/sockets/run_as.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "pidns/children.h"
#include "pidns/in_namespace.h"

namespace nsr {
namespace {

const Logger log("sockets");

/// Effective ids only: the kernel notes those, and the permitted capabilities stay because the real uid does. Raw
/// calls, as the C library would tell other threads, which this copy does not have.
void take_ids(const pb::nsr_sk_cred& who) {
  syscall(SYS_setresgid, -1, who.gid(), -1);
  syscall(SYS_setresuid, -1, who.uid(), -1);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return;
  for (auto& word : data) word.effective = word.permitted;
  syscall(SYS_capset, &header, data);
}

long copy_of_this_process(pid_t pid) {
  clone_args args{};
  args.flags = CLONE_FILES;                                       // no exit signal: nobody else is told of it
  args.set_tid = pid > 0 ? reinterpret_cast<uint64_t>(&pid) : 0;  // an address without a size is EINVAL
  args.set_tid_size = pid > 0 ? 1 : 0;
  return syscall(SYS_clone3, &args, sizeof args);
}

[[noreturn]] void run_and_exit(const pb::nsr_sk_cred& who, const std::function<int()>& calls) {
  take_ids(who);
  _exit(calls() & 0xff);
}

bool is_own(const pb::nsr_sk_cred& who) {
  bool same_pid = who.pid() == static_cast<uint32_t>(getpid()) && !children_live_elsewhere();
  return (who.pid() == 0 || same_pid) && who.uid() == geteuid() && who.gid() == getegid();
}

}  // namespace

int run_as(const pb::nsr_sk_cred& who, const std::function<int()>& calls) {
  if (is_own(who)) return calls();
  long child = copy_of_this_process(static_cast<pid_t>(who.pid()));
  if (child < 0 && who.pid() != 0) {
    log.warn("a socket's peer will not show pid %u, which cannot be taken here: error %d", who.pid(), errno);
    // one of ours, which the tree sees as 0, and not a number that has no meaning there
    std::optional<ChildrenIn> home;
    if (children_live_elsewhere()) home.emplace(open_namespace("self", "pid"));
    child = copy_of_this_process(0);
    if (child == 0) run_and_exit(who, calls);
  }
  if (child < 0)
    throw_errno(Failure::environment, "sockets", "making a process to connect sockets in another's name", errno);
  if (child == 0) run_and_exit(who, calls);
  int status = 0;
  while (waitpid(static_cast<pid_t>(child), &status, __WALL) < 0)
    if (errno != EINTR)
      throw_errno(Failure::internal, "sockets", "waiting for the process that connects sockets", errno);
  if (!WIFEXITED(status))
    throw Error(Failure::internal, "sockets",
                format("the process that connects sockets ended with status %#x", status));
  return WEXITSTATUS(status);
}

}  // namespace nsr
