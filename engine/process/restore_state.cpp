#include "engine/process/restore_state.h"

#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/process/credentials.h"
#include "engine/process/memory_policy.h"
#include "engine/process/signals.h"
#include "engine/process/timers.h"

namespace nsr {
namespace {

constexpr uint32_t kSsOnstack = 1;
constexpr int kArchSetCpuid = 0x1012;
constexpr int kPrSetMemoryMerge = 67;
constexpr int kPrSetMdwe = 65, kPrSetIoFlusher = 57;

struct PortRange {
  size_t first, count;
};

/// Runs of clear bits.
std::vector<PortRange> port_ranges(const std::string& denied) {
  std::vector<PortRange> out;
  for (size_t port = 0; port < denied.size() * 8; port++) {
    if (denied[port / 8] >> port % 8 & 1) continue;
    if (!out.empty() && out.back().first + out.back().count == port)
      out.back().count++;
    else
      out.push_back({port, 1});
  }
  return out;
}

/// What prctl(2) and its kin set for one thread.
void emit_prctls(const pb::nsr_thread_entry& ext, Program& p, Arena& arena) {
  // what the engine itself has, the thread was born with
  static const int slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), personality = ::personality(0xffffffff);
  if (ext.has_timerslack_ns() && ext.timerslack_ns() != static_cast<uint64_t>(slack))
    p.call(SYS_prctl, PR_SET_TIMERSLACK, ext.timerslack_ns(), 0, 0, 0);
  if (ext.io_flusher()) {
    p.call(SYS_prctl, kPrSetIoFlusher, 1, 0, 0, 0);
    p.note("IO flusher (needs CAP_SYS_RESOURCE)");
  }
  if (ext.tsc()) p.call(SYS_prctl, PR_SET_TSC, ext.tsc(), 0, 0, 0);
  if (ext.cpuid_faults()) {
    p.call(SYS_arch_prctl, kArchSetCpuid, 0);
    p.note("cpuid that raises SIGSEGV (needs a CPU that can do that)");
  }
  for (const PortRange& ports : port_ranges(ext.io_permissions())) {
    p.call(SYS_ioperm, ports.first, ports.count, 1);
    p.note("I/O ports (needs CAP_SYS_RAWIO)");
  }
  if (ext.has_personality() && ext.personality() != static_cast<uint32_t>(personality))
    p.call(SYS_personality, ext.personality());
  emit_memory_policy(ext, p, arena);
  if (ext.has_mce_kill() && ext.mce_kill() != PR_MCE_KILL_DEFAULT)
    p.call(SYS_prctl, PR_MCE_KILL, PR_MCE_KILL_SET, ext.mce_kill(), 0, 0);
}

/// Mitigations that the thread chose for itself. A CPU that does not need one has nothing to set.
void emit_speculation(const pb::nsr_thread_entry* ext, Program& p) {
  constexpr uint32_t kStates = PR_SPEC_ENABLE | PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE | PR_SPEC_DISABLE_NOEXEC;
  for (int kind = 0; ext && kind < ext->speculation_ctrl_size(); kind++) {
    uint32_t wanted = ext->speculation_ctrl(kind);
    if (!(wanted & PR_SPEC_PRCTL)) continue;
    int own = ::prctl(PR_GET_SPECULATION_CTRL, kind, 0, 0, 0);
    if (own < 0 || !(own & PR_SPEC_PRCTL) || (static_cast<uint32_t>(own) & kStates) == (wanted & kStates)) continue;
    p.call(SYS_prctl, PR_SET_SPECULATION_CTRL, kind, wanted & kStates, 0, 0);
    p.note(format("speculation control %d", kind));
  }
}

/// Before the registers are set, which may name them.
void emit_local_descriptors(const std::string& table, Program& p, Arena& arena) {
  const auto calls = arch::local_descriptor_calls();
  for (size_t at = 0; at + 8 <= table.size(); at += 8) {
    uint64_t descriptor;
    std::memcpy(&descriptor, table.data() + at, sizeof descriptor);
    if (descriptor == 0) continue;
    const auto entry = arch::local_descriptor(static_cast<uint32_t>(at / 8), descriptor);
    p.call(calls.nr, calls.write, arena.put(entry), sizeof entry);
    p.note(format("local descriptor %zu", at / 8));
  }
}

constexpr const char* kLimitNames[] = {"CPU time",       "file size",     "data size",          "stack size",
                                       "core size",      "resident size", "processes",          "open files",
                                       "locked memory",  "address space", "file locks",         "queued signals",
                                       "message queues", "nice priority", "real-time priority", "real-time CPU time"};

std::string limit_name(int r) {
  return r < static_cast<int>(std::size(kLimitNames)) ? kLimitNames[r] : format("%d", r);
}
std::string limit_text(uint64_t v) {
  return v == RLIM_INFINITY ? "unlimited" : format("%llu", static_cast<unsigned long long>(v));
}

bool has_capability(int cap) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  return ::syscall(SYS_capget, &header, data) == 0 && (data[cap / 32].effective >> (cap % 32) & 1);
}

}  // namespace

void emit_thread(const pb::core_entry& core, const pb::nsr_thread_entry* ext, NsPid pid, NsPid tid, Program& p,
                 Arena& arena) {
  const pb::thread_core_entry& tc = core.thread_core();
  std::string comm = tc.has_comm() ? tc.comm() : core.tc().comm();
  p.call(SYS_prctl, PR_SET_NAME, arena.put_string(comm), 0, 0, 0);
  const bool fresh = tid != pid;  // clone(2): a thread is born without the list and the stack
  if (!fresh || tc.futex_rla())
    p.call(SYS_set_robust_list, tc.futex_rla(), tc.futex_rla_len() ? tc.futex_rla_len() : 24);
  if (tc.has_sas() && (!fresh || tc.sas().ss_size())) {
    struct {
      uint64_t sp;
      uint32_t flags, pad;
      uint64_t size;
    } ss{tc.sas().ss_sp(), tc.sas().ss_flags() & ~kSsOnstack, 0, tc.sas().ss_size()};
    p.call(SYS_sigaltstack, arena.put(ss), 0);
    p.note("alternate signal stack");
  }
  if (tc.has_rseq_entry() && tc.rseq_entry().rseq_abi_pointer()) {
    p.call(SYS_rseq, tc.rseq_entry().rseq_abi_pointer(), tc.rseq_entry().rseq_abi_size(), 0,
           tc.rseq_entry().signature());
    p.note("register rseq");
  }
  if (ext) emit_prctls(*ext, p, arena);
  emit_speculation(ext, p);
  emit_queued(tc.signals_p(), pid, tid, p, arena);
}

std::optional<uint64_t> dumpable_to_set(const pb::mm_entry& mm) {
  if (!mm.has_dumpable()) return std::nullopt;
  if (mm.dumpable() <= 1) return mm.dumpable();
  if (read_file("/proc/sys/fs/suid_dumpable").value_or("").starts_with('2')) return std::nullopt;
  return 0;
}

void emit_thread_last(const pb::core_entry& core, const pb::mm_entry& mm, bool leader, bool has_own, bool groups_fixed,
                      Program& p, Arena& arena) {
  const pb::thread_core_entry& tc = core.thread_core();
  const auto dumpable = dumpable_to_set(mm);
  // so that its credentials are a change in any case
  if (leader && mm.dumpable() > 1 && !dumpable) p.call(SYS_setfsuid, tc.creds().fsuid() == 0 ? 1 : 0);
  if (tc.has_creds() && !has_own) emit_credentials(tc.creds(), groups_fixed, p, arena);
  // a change of credentials clears both
  if (leader && dumpable) p.call(SYS_prctl, PR_SET_DUMPABLE, *dumpable, 0, 0, 0);
  if (tc.pdeath_sig()) p.call(SYS_prctl, PR_SET_PDEATHSIG, tc.pdeath_sig(), 0, 0, 0);
  if (tc.seccomp_mode() == pb::strict) p.call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
}

void check_rlimits(const pb::core_entry& core, const std::string& object) {
  const auto& limits = core.tc().rlimits();
  if (has_capability(CAP_SYS_RESOURCE)) return;
  for (int r = 0; r < limits.rlimits_size(); r++) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(r), &own) || limits.rlimits(r).max() <= own.rlim_max) continue;
    throw Error(
        Failure::environment, object,
        format("its limit %s is %s, and the engine's own %s cannot be raised without CAP_SYS_RESOURCE",
               limit_name(r).c_str(), limit_text(limits.rlimits(r).max()).c_str(), limit_text(own.rlim_max).c_str()),
        "start the restore with that capability or with a higher hard limit (ulimit -H)");
  }
}

void emit_rlimits(const pb::core_entry& core, bool queues_late, Program& p, Arena& arena) {
  const auto& limits = core.tc().rlimits();
  for (int r = 0; r < limits.rlimits_size(); r++) {
    if (queues_late && r == RLIMIT_SIGPENDING) continue;
    uint64_t pair[2] = {limits.rlimits(r).cur(), limits.rlimits(r).max()};
    p.call(SYS_prlimit64, 0, r, arena.put(pair), 0);
    p.note("resource limit " + limit_name(r));
  }
}

void emit_flush(int signal, Program& p, Arena& arena) {
  if (signal == 0 || signal == SIGKILL || signal == SIGSTOP) return;
  // a signal that gets ignored is flushed, also where it is blocked
  const KernelSigaction ignore{1, 0, 0, 0}, none{0, 0, 0, 0};
  p.call(SYS_rt_sigaction, signal, arena.put(ignore), 0, 8);
  p.call(SYS_rt_sigaction, signal, arena.put(none), 0, 8);
}

void emit_process(const pb::core_entry& core, const pb::nsr_task_entry& ext, NsPid pid, Program& p, Arena& arena) {
  const pb::task_core_entry& tc = core.tc();
  if (tc.child_subreaper()) p.call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  emit_flush(SIGCHLD, p, arena);
  if (ext.continue_unreported()) emit_flush(SIGCONT, p, arena);
  emit_sigactions(tc, p, arena);
  emit_queued(tc.signals_s(), pid, NsPid(0), p, arena);
  if (uint32_t mask = tc.membarrier_registration_mask())
    for (int bit = 0; bit < 32; bit++)
      if (mask >> bit & 1) p.allow(SYS_membarrier, 1u << bit, 0, 0);
  emit_posix_timers(tc.timers(), can_choose_timer_ids(), p, arena);
  emit_start_timers(tc.timers(), p, arena);
  emit_local_descriptors(ext.local_descriptors(), p, arena);
  if (ext.timer_restore_ids()) p.allow(SYS_prctl, kPrTimerCreateRestoreIds, 1, 0, 0, 0);
  // where the kernel knows no such flags, huge pages stay off altogether (emit_mm)
  if (uint32_t thp = ext.thp_disable()) p.allow(SYS_prctl, PR_SET_THP_DISABLE, 1, thp & ~1u, 0, 0);
  if (ext.memory_merge()) {
    p.call(SYS_prctl, kPrSetMemoryMerge, 1, 0, 0, 0);
    p.note("merging of its memory (needs CAP_SYS_RESOURCE)");
  }
  if (ext.mdwe()) p.call(SYS_prctl, kPrSetMdwe, ext.mdwe(), 0, 0, 0);
}

size_t thread_arena_size(const pb::core_entry& core, const pb::nsr_thread_entry* ext) {
  size_t ports = ext ? port_ranges(ext->io_permissions()).size() : 0;
  size_t signals = static_cast<size_t>(core.thread_core().signals_p().signals_size());
  size_t groups = static_cast<size_t>(core.thread_core().creds().groups_size());
  return (172 + ports) * sizeof(Record) + signals * (sizeof(Record) + 192) + groups * 4 + 2048 + 256;
}

size_t process_arena_size(const pb::core_entry& core, const pb::nsr_task_entry& ext) {
  const pb::task_core_entry& tc = core.tc();
  size_t passed_ids = 0;
  if (!can_choose_timer_ids())
    for (const auto& t : tc.timers().posix())
      passed_ids = std::max(passed_ids, std::min<size_t>(t.it_id(), kMostTimerIds));
  return passed_ids * 2 * sizeof(Record) + ext.local_descriptors().size() / 8 * (sizeof(Record) + 64) +
         220 * (sizeof(Record) + 48) + static_cast<size_t>(tc.signals_s().signals_size()) * (sizeof(Record) + 192) +
         static_cast<size_t>(tc.timers().posix_size()) * 512 + 4096;
}

}  // namespace nsr
