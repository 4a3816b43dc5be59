#include "engine/process/task_state.h"

#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/process/credentials.h"
#include "engine/process/interrupted_call.h"
#include "engine/procfs/limits.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"

namespace nsr {
namespace {

constexpr int kPrGetTidAddress = 40;
constexpr int kArchGetCpuid = 0x1011;
constexpr int kPrGetMdwe = 66, kPrGetMemoryMerge = 68, kPrGetIoFlusher = 58;
constexpr int kTaskAlive = 1, kTaskDead = 2, kTaskStopped = 3;
constexpr uint32_t kAskPersonality = 0xffffffff;               // personality(2)
constexpr int kPtraceGetDispatch = 0x4211;                     // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
constexpr uint32_t kIoFlusherFlags = 0x00080000 | 0x00100000;  // PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE
const Logger log("process");

struct Altstack {
  uint64_t sp;
  int32_t flags, pad;
  uint64_t size;
};

bool knows_ids(const UserMap& users, const procfs::Status& st) {
  return std::all_of(st.uid.begin(), st.uid.end(), [&](uint32_t id) { return users.uids.knows(id); }) &&
         std::all_of(st.gid.begin(), st.gid.end(), [&](uint32_t id) { return users.gids.knows(id); });
}

/// Core scheduling (Linux 5.14, on a host with hyper-threads): whether a thread shares its core with those of its
/// cookie only.
bool has_core_cookie(HostPid tid) {
  constexpr int kPrSchedCore = 62, kGet = 0, kOfThread = 0;
  static const bool known = [] {
    uint64_t own = 0;
    return ::prctl(kPrSchedCore, kGet, 0, kOfThread, &own) == 0;
  }();
  uint64_t cookie = 0;
  return known && ::prctl(kPrSchedCore, kGet, tid.value, kOfThread, &cookie) == 0 && cookie;
}

/// Syscall user dispatch of a stopped thread; nothing where it is off or the kernel cannot tell (before 6.4).
std::optional<DispatchConfig> dispatch_of(HostPid tid) {
  DispatchConfig config{};
  if (::syscall(SYS_ptrace, kPtraceGetDispatch, tid.value, sizeof config, &config) || config.mode == 0)
    return std::nullopt;
  return config;
}

}  // namespace

TaskStateReader::TaskStateReader(const FrozenTask& task, const PidMap& pids)
    : task_(task), pids_(pids), dir_(task.handle()) {
  posix_timers_ = procfs::parse_timers(dir_.try_read("timers").value_or(""));
  if (!posix_timers_.empty()) timer_signals_ = pending_timer_signals(task);
  timers_.emplace(posix_timers_);
}

size_t TaskStateReader::arena_size() const {
  return (100 + 2 * posix_timers_.size()) * (sizeof(Record) + 64) +
         task_.threads.size() * (19 * sizeof(Record) + 496 + SchedulingReader::arena_size()) +
         overruns_arena_size(timer_signals_) + clock_threads_arena_size(task_.threads.size(), posix_timers_) +
         arch::kLocalDescriptors + 8192;
}

void TaskStateReader::ask_timers(BorrowedTask& borrowed) {
  clock_threads_ = find_clock_threads(borrowed, task_, posix_timers_);
  if (timer_signals_) overruns_ = read_overruns(borrowed, task_, posix_timers_);
}

std::vector<siginfo_t> TaskStateReader::queued_signals(const Tracee& thread, bool shared) const {
  std::vector<siginfo_t> queued = thread.pending_signals(shared);
  note_overruns(overruns_, queued);
  return queued;
}

std::string TaskStateReader::object(const FrozenThread& th) const {
  return th.tid == task_.pid ? format("pid %d", task_.pid.value)
                             : format("pid %d thread %d", task_.pid.value, th.tid.value);
}

void TaskStateReader::add_programs(std::vector<Program>& programs, Arena& arena) {
  programs.resize(task_.threads.size());
  for (Program& p : programs) {
    ThreadSlots s;
    s.tid_address = arena.alloc(8);
    s.altstack = arena.alloc(sizeof(Altstack));
    s.words = arena.alloc(8);
    s.robust_list = arena.alloc(16);
    p.allow(SYS_prctl, kPrGetTidAddress, s.tid_address, 0, 0, 0);
    p.allow(SYS_sigaltstack, 0, s.altstack);
    p.allow(SYS_prctl, PR_GET_PDEATHSIG, s.words, 0, 0, 0);
    p.allow(SYS_prctl, PR_GET_TSC, s.words.value + 4, 0, 0, 0);
    s.cpuid = p.allow(SYS_arch_prctl, kArchGetCpuid, 0);
    s.securebits = p.allow(SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
    s.timer_slack = p.allow(SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
    s.personality = p.allow(SYS_personality, kAskPersonality);
    s.mce_kill = p.allow(SYS_prctl, PR_MCE_KILL_GET, 0, 0, 0, 0);
    s.io_flusher = p.allow(SYS_prctl, kPrGetIoFlusher, 0, 0, 0, 0);
    for (int kind = 0; kind < kSpeculationKinds; kind++) {
      auto at = p.allow(SYS_prctl, PR_GET_SPECULATION_CTRL, kind, 0, 0, 0);
      if (kind == 0) s.speculation = at;
    }
    s.memory_policy.add(p, arena);
    p.allow(SYS_get_robust_list, 0, s.robust_list, s.robust_list.value + 8);
    s.scheduling.add(p, arena);
    slots_.push_back(s);
  }
  Program& p = programs[0];
  sigactions_.add(p, arena);
  timers_->add(p, arena);
  brk_ = p.allow(SYS_brk, 0);
  dumpable_ = p.allow(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  subreaper_ = arena.alloc(8);
  p.allow(SYS_prctl, PR_GET_CHILD_SUBREAPER, subreaper_, 0, 0, 0);
  thp_ = p.allow(SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
  membarrier_.add(p);
  protection_keys_.add(p);
  mdwe_ = p.allow(SYS_prctl, kPrGetMdwe, 0, 0, 0, 0);
  memory_merge_ = p.allow(SYS_prctl, kPrGetMemoryMerge, 0, 0, 0, 0);
  timer_ids_ = p.allow(SYS_prctl, kPrTimerCreateRestoreIds, kRestoreIdsGet, 0, 0, 0);
  local_descriptors_ = arena.alloc(arch::kLocalDescriptors);
  const auto ldt = arch::local_descriptor_calls();
  ldt_ = p.allow(ldt.nr, ldt.read, local_descriptors_, arch::kLocalDescriptors);
  keyrings_ = p.allow(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0);
  p.allow(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
}

void TaskStateReader::check_borrowable() {
  for (size_t i = 0; i < task_.threads.size(); i++) {
    auto config = dispatch_of(task_.threads[i].tid);
    if (!config) continue;
    dispatch_[i] = *config;
    if (config->selector == 0) continue;
    uint8_t selector = 0;
    read_memory(task_.handle(), RemoteAddr(config->selector), &selector, 1);
    if (selector != 0)
      throw Error(Failure::unsupported, object(task_.threads[i]),
                  "it catches its own system calls at this moment (syscall user dispatch)",
                  "try again while its selector allows system calls");
  }
}

void TaskStateReader::check_supported(const procfs::Status& st) const {
  if (st.x86_thread_features.find("shstk") != std::string::npos)
    throw Error(Failure::unsupported, format("pid %d", task_.pid.value),
                "it uses a shadow stack, which cannot be set from outside",
                "start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
}

void TaskStateReader::look(Cores& cores, pb::nsr_task_entry& ext) const {
  for (size_t i = 0; i < task_.threads.size(); i++) look_at_thread(i, *cores.Add(), *ext.add_threads());
}

void TaskStateReader::collect(const std::vector<Program>& programs, const Arena& arena, const UserMap& users,
                              Cores& cores, pb::nsr_task_entry& ext, MemoryFacts& memory) const {
  const procfs::Stat stat = procfs::parse_stat(dir_.read("stat"));
  for (int i = 0; i < cores.size(); i++) {
    const Program& program = programs[static_cast<size_t>(i)];
    collect_thread(static_cast<size_t>(i), program, arena, users, cores[i], *ext.mutable_threads(i));
    if (is_io_flusher(static_cast<size_t>(i), program, stat)) ext.mutable_threads(i)->set_io_flusher(true);
  }
  pb::task_core_entry& tc = *cores[0].mutable_tc();
  collect_process(programs[0], arena, stat, tc, ext, memory);
  tc.set_blk_sigset(task_.threads[0].signal_mask);
  cores[0].mutable_thread_core()->clear_blk_sigset();
  tc.set_comm(cores[0].thread_core().comm());
}

void TaskStateReader::look_at_thread(size_t i, pb::core_entry& core, pb::nsr_thread_entry& ext) const {
  const FrozenThread& th = task_.threads[i];
  Tracee tracee(th.tid);
  check_supported(*th.status);

  std::vector<std::byte> xsave = tracee.xsave();
  arch::to_image(th.regs, xsave, core);
  ext.set_tid(static_cast<uint32_t>(th.ns_tid.value));
  collect_interrupted_call(task_.handle(), th, ext);
  if (arch::needs_expansion(xsave)) ext.set_xsave(xsave.data(), xsave.size());
  if (std::string ports = tracee.io_permissions(); !ports.empty()) ext.set_io_permissions(ports);

  pb::thread_core_entry& tc = *core.mutable_thread_core();
  tc.set_blk_sigset(th.signal_mask);
  to_image(queued_signals(tracee, false), *tc.mutable_signals_p());
  tc.set_comm(th.status->name);
  tc.set_seccomp_mode(static_cast<pb::seccomp_mode>(th.status->seccomp.value_or(0)));
  if (th.rseq.pointer) {
    tc.mutable_rseq_entry()->set_rseq_abi_pointer(th.rseq.pointer);
    tc.mutable_rseq_entry()->set_rseq_abi_size(th.rseq.size);
    tc.mutable_rseq_entry()->set_signature(th.rseq.signature);
  }
  if (auto config = dispatch_.find(i); config != dispatch_.end()) {
    ext.set_dispatch_selector(config->second.selector);
    ext.set_dispatch_offset(config->second.offset);
    ext.set_dispatch_length(config->second.length);
  }
}

void TaskStateReader::collect_thread(size_t i, const Program& program, const Arena& arena, const UserMap& users,
                                     pb::core_entry& core, pb::nsr_thread_entry& ext) const {
  const ThreadSlots& slot = slots_[i];
  const auto& records = program.records();
  core.mutable_thread_info()->set_clear_tid_addr(*arena.local<uint64_t>(slot.tid_address));
  pb::thread_core_entry& tc = *core.mutable_thread_core();
  const auto* list = arena.local<uint64_t>(slot.robust_list);
  tc.set_futex_rla(list[0]);
  tc.set_futex_rla_len(static_cast<uint32_t>(list[1]));
  slot.scheduling.collect(program, arena, object(task_.threads[i]), tc, ext);
  const auto* alt = arena.local<Altstack>(slot.altstack);
  pb::thread_sas_entry& sas = *tc.mutable_sas();
  sas.set_ss_sp(alt->sp);
  sas.set_ss_size(alt->size);
  sas.set_ss_flags(static_cast<uint32_t>(alt->flags));
  if (uint32_t sig = *arena.local<uint32_t>(slot.words)) tc.set_pdeath_sig(sig);
  int64_t securebits = records[slot.securebits].result;
  to_image(*task_.threads[i].status, securebits > 0 ? static_cast<uint32_t>(securebits) : 0, users,
           object(task_.threads[i]), *tc.mutable_creds());
  if (has_core_cookie(task_.threads[i].tid))
    log.warn("%s: its core scheduling cookie is not kept", object(task_.threads[i]).c_str());
  ext.set_personality(static_cast<uint32_t>(records[slot.personality].result));
  if (records[slot.timer_slack].result > 0)
    ext.set_timerslack_ns(static_cast<uint64_t>(records[slot.timer_slack].result));
  if (arena.local<uint32_t>(slot.words)[1] == PR_TSC_SIGSEGV) ext.set_tsc(PR_TSC_SIGSEGV);
  if (records[slot.cpuid].result == 0) ext.set_cpuid_faults(true);
  if (records[slot.mce_kill].result >= 0) ext.set_mce_kill(static_cast<uint32_t>(records[slot.mce_kill].result));
  for (size_t kind = 0; kind < kSpeculationKinds; kind++)
    ext.add_speculation_ctrl(static_cast<uint32_t>(std::max<int64_t>(0, records[slot.speculation + kind].result)));
  slot.memory_policy.collect(program, arena, ext);
}

/// Without CAP_SYS_RESOURCE a thread may not ask, and has the flag only from the one that made it.
bool TaskStateReader::is_io_flusher(size_t i, const Program& program, const procfs::Stat& process) const {
  int64_t answer = program.records()[slots_[i].io_flusher].result;
  return answer > 0 || (answer == -EPERM && (process.flags & kIoFlusherFlags) == kIoFlusherFlags);
}

void TaskStateReader::collect_process(const Program& program, const Arena& arena, const procfs::Stat& stat,
                                      pb::task_core_entry& tc, pb::nsr_task_entry& ext, MemoryFacts& memory) const {
  auto result = [&](Program::Index i) { return program.records()[i].result; };
  tc.set_task_state(task_.stop_signal ? kTaskStopped : kTaskAlive);
  if (task_.stop_signal) tc.set_stop_signo(static_cast<uint32_t>(task_.stop_signal));
  tc.set_exit_code(0);
  tc.set_flags(stat.flags);
  tc.set_personality(ext.threads(0).personality());
  sigactions_.collect(arena, tc);
  timers_->collect(program, arena, pids_, task_.ns_pid, clock_threads_, *tc.mutable_timers());
  for (const rlimit& l : procfs::parse_limits(dir_.read("limits"))) {
    pb::rlimit_entry& e = *tc.mutable_rlimits()->add_rlimits();
    e.set_cur(l.rlim_cur);
    e.set_max(l.rlim_max);
  }
  to_image(queued_signals(Tracee(task_.threads[0].tid), true), *tc.mutable_signals_s());
  if (auto text = dir_.try_read("loginuid"))
    tc.set_loginuid(static_cast<uint32_t>(std::strtoul(text->c_str(), nullptr, 10)));
  if (auto text = dir_.try_read("oom_score_adj")) tc.set_oom_score_adj(std::atoi(text->c_str()));
  if (*arena.local<uint32_t>(subreaper_)) tc.set_child_subreaper(true);
  if (uint32_t mask = membarrier_.mask(program)) tc.set_membarrier_registration_mask(mask);
  memory.brk = static_cast<uint64_t>(result(brk_));
  memory.dumpable = static_cast<int>(result(dumpable_));
  memory.thp_disabled = result(thp_) > 0;
  if (result(thp_) > 1) ext.set_thp_disable(static_cast<uint32_t>(result(thp_)));
  if (result(ldt_) > 0) {
    std::string_view table(arena.local<char>(local_descriptors_), static_cast<size_t>(result(ldt_)));
    size_t entries = (table.find_last_not_of('\0') + 8) / 8;  // npos + 8 is 7: none
    ext.set_local_descriptors(table.data(), entries * 8);
  }
  if (result(timer_ids_) > 0) ext.set_timer_restore_ids(true);
  memory.protection_keys = protection_keys_.allocated(program);
  ext.set_exit_signal(static_cast<uint32_t>(stat.exit_signal));
  if (result(mdwe_) > 0) ext.set_mdwe(static_cast<uint32_t>(result(mdwe_)));
  if (result(memory_merge_) > 0) ext.set_memory_merge(true);
  if (auto text = dir_.try_read("autogroup"))
    if (size_t at = text->find(" nice "); at != std::string::npos)
      ext.set_autogroup_nice(std::atoi(text->c_str() + at + 6));
  if (result(keyrings_) > 0 || result(keyrings_ + 1) > 0)
    log.warn("pid %d: the keys of its thread and process keyrings are not kept", task_.pid.value);
  if (auto text = dir_.try_read("coredump_filter"))
    ext.set_coredump_filter(static_cast<uint32_t>(std::strtoul(text->c_str(), nullptr, 16)));
}

pb::core_entry zombie_core(HostPid pid, const UserMap& users, pb::nsr_task_entry& ext) {
  procfs::ProcDir dir(pid);
  procfs::Stat stat = procfs::parse_stat(dir.read("stat"));
  pb::core_entry core;
  core.set_mtype(pb::core_entry::X86_64);
  pb::task_core_entry& tc = *core.mutable_tc();
  tc.set_task_state(kTaskDead);
  tc.set_exit_code(static_cast<uint32_t>(stat.exit_code));
  tc.set_personality(0);
  tc.set_flags(stat.flags);
  procfs::Status status = procfs::parse_status(dir.read("status"));
  tc.set_blk_sigset(status.sig_blocked);
  tc.set_comm(stat.comm);
  ext.set_exit_signal(static_cast<uint32_t>(stat.exit_signal));
  if (knows_ids(users, status)) to_image(status, 0, users, "", *ext.mutable_zombie_creds());
  return core;
}

}  // namespace nsr
