#include "engine/dump/target.h"

#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"

namespace nsr {

void check_target(HostPid root) {
  const std::string object = format("pid %d", root.value);
  if (read_link("/proc/self") != format("%d", ::getpid()))
    throw Error(Failure::environment, "/proc", "it is missing or shows another pid namespace than the engine's",
                "mount it: unshare -m sh -c 'mount -t proc proc /proc; ns-engine dump ...'");
  auto dir = procfs::ProcDir::try_open(root);
  if (!dir) throw Error(Failure::target, object, "there is no such process", "check the number given with -t");
  for (int pid = ::getpid(); pid > 0; pid = procfs::parse_status(procfs::ProcDir(HostPid(pid)).read("status")).ppid)
    if (pid == root.value)
      throw Error(Failure::target, object, "the engine itself runs inside this tree",
                  "start the engine from outside of it");
  procfs::Status status = procfs::parse_status(dir->read("status"));
  if (status.tgid != root.value)
    throw Error(Failure::target, object, format("it is a thread of process %d", status.tgid),
                format("dump that: -t %d", status.tgid));
  if (status.state == 'Z' && status.threads <= 1)
    throw Error(Failure::target, object, "it has exited already (zombie)");
}

bool needs_stand_in(HostPid root) {
  constexpr size_t kMostThreads = 64;
  size_t threads = 0;
  std::vector<int> pids{root.value};
  for (size_t i = 0; i < pids.size(); i++) {
    auto dir = procfs::ProcDir::try_open(HostPid(pids[i]));
    auto tids = dir ? dir->try_numbers("task") : std::nullopt;
    for (int tid : tids.value_or(std::vector<int>())) {
      if (++threads > kMostThreads) return true;
      if (auto text = dir->try_read(format("task/%d/status", tid)))
        if (procfs::parse_status(*text).seccomp.value_or(0)) return true;
      if (auto text = dir->try_read(format("task/%d/children", tid)))
        for (int32_t child : procfs::parse_children(*text)) pids.push_back(child);
    }
  }
  return false;
}

}  // namespace nsr
