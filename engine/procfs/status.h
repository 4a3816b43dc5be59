// /proc/PID/status and /proc/PID/task/TID/status (proc_pid_status(5)).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nsr::procfs {

/// Pids are as the pid namespace of the mounted /proc sees them, the NS* lists run from there to the innermost.
/// Uids and gids are as the reader's user namespace sees them. Optional: absent on older kernels or for a zombie.
struct Status {
  std::string name;  ///< comm, unescaped
  std::optional<uint32_t> umask;
  char state = '?';  ///< R S D T t Z X I ...
  int32_t tgid = 0, ngid = 0, pid = 0, ppid = 0, tracer_pid = 0;
  std::array<uint32_t, 4> uid{}, gid{};  ///< real, effective, saved, filesystem
  std::vector<uint32_t> groups;
  std::vector<int32_t> ns_tgid, ns_pid, ns_pgid, ns_sid;  ///< 0 = not in that namespace
  bool kthread = false;
  bool has_mm = false;                              ///< the Vm lines are there: neither a kernel thread nor a zombie
  uint64_t vm_locked = 0, vm_size = 0, vm_rss = 0;  ///< bytes
  std::optional<bool> core_dumping, thp_enabled;
  uint32_t threads = 0;
  uint64_t sig_queued = 0, sig_queue_limit = 0;
  uint64_t sig_pending = 0, shared_pending = 0, sig_blocked = 0, sig_ignored = 0,
           sig_caught = 0;                                                   ///< bit n-1 = signal n
  uint64_t cap_inh = 0, cap_prm = 0, cap_eff = 0, cap_bnd = 0, cap_amb = 0;  ///< bit n = capability n
  std::optional<bool> no_new_privs;
  std::optional<int> seccomp;  ///< SECCOMP_MODE_*
  std::optional<uint32_t> seccomp_filters;
  std::string speculation_store_bypass, speculation_indirect_branch;  ///< as printed, empty when absent
  std::vector<uint32_t> cpus_allowed;                                 ///< mask words, least significant first
  std::string x86_thread_features, x86_thread_features_locked;        ///< "shstk wrss", empty when none
  bool operator==(const Status&) const = default;
};

Status parse_status(std::string_view text);

}  // namespace nsr::procfs
