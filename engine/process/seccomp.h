// Seccomp of threads: strict mode and chains of filters, to messages and back to syscalls (seccomp(2)).
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core.pb.h"
#include "engine/trace/program.h"
#include "engine/trace/tracee.h"
#include "seccomp.pb.h"

namespace nsr {

/// Collects the filters of a tree. A filter that several threads have from one installation (fork, clone, TSYNC) is one
/// entry; entries of one chain are linked by `prev`, the oldest has none.
class SeccompCollector {
 public:
  /// Reads the chain of a stopped thread by ptrace (PTRACE_SECCOMP_GET_FILTER and _GET_METADATA, Linux 4.4 and 4.16)
  /// when thread_core.seccomp_mode says that it has one, and sets thread_core.seccomp_filter. Throws Error(environment)
  /// without CAP_SYS_ADMIN, Error(unsupported) for a filter that asks a supervisor.
  void collect(const Tracee& tracee, const std::string& object, pb::thread_core_entry& thread);
  const pb::seccomp_entry& entry() const { return entry_; }

 private:
  uint32_t add(int64_t prev, std::string code, uint32_t flags);

  pb::seccomp_entry entry_;
  std::map<std::tuple<int64_t, std::string, uint32_t>, uint32_t> known_;
};

/// Which filters a thread has, oldest first, as indices into the entry; empty when it has none. Throws Error(image) for
/// a chain that leads nowhere, runs in a circle or holds a filter that cannot be one.
std::vector<uint32_t> seccomp_chain(const pb::seccomp_entry& entry, const pb::thread_core_entry& thread,
                                    const std::string& object);

/// Puts filters back. All threads of one process that have filters in common inherit them from its leader, so that the
/// kernel sees one filter and a later SECCOMP_FILTER_FLAG_TSYNC works as before.
/// Needs PTRACE_O_SUSPEND_SECCOMP, and CAP_SYS_ADMIN or no_new_privs in the task at that moment.
class SeccompEmitter {
 public:
  explicit SeccompEmitter(const pb::seccomp_entry& entry) : entry_(entry) {}
  /// chains[i] of thread i: how many of their first filters all threads share.
  static size_t common(const std::vector<std::vector<uint32_t>>& chains);
  /// Installs filters [from, to) of a chain in the calling thread.
  void emit(const std::vector<uint32_t>& chain, size_t from, size_t to, Program& program, Arena& arena);
  /// Bytes of arena that all filters together need, and the records of one chain.
  static size_t arena_size(const pb::seccomp_entry& entry);

 private:
  const pb::seccomp_entry& entry_;
  std::map<uint32_t, RemoteAddr> programs_;
};

}  // namespace nsr
