#include "engine/trace/unstoppable.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "arch/process_calls.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"

namespace nsr {

std::optional<HostPid> vfork_child(const procfs::ProcDir& dir, HostPid tid) {
  auto call = dir.try_read(format("task/%d/syscall", tid.value));
  auto children = dir.try_read(format("task/%d/children", tid.value));
  if (!call || !children || !arch::makes_processes(std::atol(call->c_str()))) return std::nullopt;
  for (int32_t child : procfs::parse_children(*children))
    if (::syscall(SYS_kcmp, tid.value, child, KCMP_VM, 0, 0) == 0) return HostPid(child);
  return std::nullopt;
}

Error unstoppable(HostPid pid, HostPid tid) {
  std::string object = format("pid %d", pid.value);
  if (tid != pid) object += format(" thread %d", tid.value);
  const char* again = "dump again when that is over, or give it longer with --timeout";
  auto dir = procfs::ProcDir::try_open(pid);
  if (!dir) return Error(Failure::timeout, object, "it did not stop within --timeout", again);
  if (auto child = vfork_child(*dir, tid))
    return Error(Failure::timeout, object,
                 format("it waits in vfork(2) for its child pid %d, which has neither executed a program nor exited "
                        "within --timeout; the kernel stops no such thread",
                        child->value),
                 again);
  auto status = dir->try_read(format("task/%d/status", tid.value));
  if (status && procfs::parse_status(*status).state == 'D')
    return Error(Failure::timeout, object,
                 "it did not stop within --timeout: it sleeps in the kernel uninterruptibly (state D)", again);
  return Error(Failure::timeout, object, "it did not stop within --timeout", again);
}

}  // namespace nsr
