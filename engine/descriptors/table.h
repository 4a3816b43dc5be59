// Descriptor tables of frozen tasks.
#pragma once

#include <map>
#include <vector>

#include "engine/descriptors/kind.h"

namespace nsr {

/// All open descriptors of a task in ascending order. Throws Error(target) when the task is gone.
std::vector<OpenFile> read_descriptors(HostPid pid, NsPid nspid);

/// Lets this process have as many descriptors as the kernel gives: fs.nr_open with CAP_SYS_RESOURCE, else its own hard
/// limit. Children inherit it. Returns it.
int raise_descriptor_limit();

/// A file reached through a link in /proc/PID ("exe", "cwd", "root").
OpenFile linked_file(HostPid pid, NsPid nspid, const char* name, uint32_t flags);

/// Groups things of several tasks by kernel identity, kcmp(2): what compares equal gets one number. Ordered by what
/// kcmp says, so n things cost n log n calls.
class KcmpGroups {
 public:
  /// type: KCMP_FILES, KCMP_FS, KCMP_VM, KCMP_SIGHAND (index unused) or KCMP_FILE (index = descriptor).
  explicit KcmpGroups(int type) : groups_(Less{type}) {}
  struct Member {
    HostPid pid;
    int index = 0;
  };
  /// Number of the group of m: `fresh` when m is the first of it.
  uint32_t group_of(const Member& m, uint32_t fresh) { return groups_.emplace(m, fresh).first->second; }

 private:
  struct Less {
    int type;
    bool operator()(const Member& a, const Member& b) const;
  };
  std::map<Member, uint32_t, Less> groups_;
};

}  // namespace nsr
