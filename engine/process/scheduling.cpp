#include "engine/process/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

constexpr int kIoprioWhoProcess = 1;
constexpr int kSchedFlagUtilMin = 0x20, kSchedFlagUtilMax = 0x40;
constexpr uint32_t kSizeWithoutClamps = 48;

struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};

/// What a thread of a restored tree is born with: everything here is the engine's own.
bool is_own(const SchedAttr& a) {
  static const int nice = ::getpriority(PRIO_PROCESS, 0);
  static const SchedAttr own = [] {
    SchedAttr attr{};
    if (::syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0)) attr.policy = SCHED_DEADLINE;
    return attr;
  }();
  // a deadline thread has no children; one that is to be reset by fork(2) has others than itself
  return own.policy != SCHED_DEADLINE && own.flags == 0 && a.flags == 0 && a.policy == own.policy && a.nice == nice &&
         a.priority == own.priority && a.runtime == 0;
}

/// As long as the kernel's masks are.
const std::string& own_affinity() {
  static const std::string own = [] {
    std::string bits(8 * sizeof(cpu_set_t), '\0');
    long n = ::syscall(SYS_sched_getaffinity, 0, bits.size(), bits.data());
    return bits.substr(0, n > 0 ? static_cast<size_t>(n) : 0);
  }();
  return own;
}

bool is_fair(uint32_t policy) { return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE; }

/// The time slice that the engine has, and so whatever has not chosen one; 0 before Linux 6.12. A restored thread that
/// chose none gets that of its own host.
uint64_t usual_slice() {
  static const uint64_t slice = [] {
    SchedAttr a{};
    return ::syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0 && is_fair(a.policy) ? a.runtime : 0;
  }();
  return slice;
}

/// Whether the mask leaves out none of the CPUs that are there: nobody has chosen, or so that it does not matter.
bool is_every_cpu(const std::string& mask) {
  static const std::string online = online_cpus();
  for (size_t i = 0; i < online.size(); i++)
    if (online[i] & ~(i < mask.size() ? mask[i] : 0)) return false;
  return !online.empty();
}

bool needs_affinity(const std::string& wanted) {
  return wanted != own_affinity() && !(is_every_cpu(wanted) && is_every_cpu(own_affinity()));
}

uint32_t own_ioprio() {
  static const long priority = ::syscall(SYS_ioprio_get, kIoprioWhoProcess, 0);
  return static_cast<uint32_t>(priority);
}

}  // namespace

std::string online_cpus() {
  auto text = read_file("/sys/devices/system/cpu/online");
  std::string mask;
  if (!text) return mask;
  Scanner list(*text);  // "0-3,8"
  do {
    auto first = list.number();
    auto last = list.literal("-") ? list.number() : first;
    if (!first || !last) break;
    for (uint64_t cpu = *first; cpu <= *last; cpu++) {
      mask.resize(std::max<size_t>(mask.size(), cpu / 8 + 1));
      mask[cpu / 8] = static_cast<char>(mask[cpu / 8] | 1 << cpu % 8);
    }
  } while (list.literal(","));
  return mask;
}

size_t SchedulingReader::arena_size() { return 4 * sizeof(Record) + sizeof(SchedAttr) + own_affinity().size() + 32; }

void SchedulingReader::add(Program& program, Arena& arena) {
  attributes_ = arena.alloc(sizeof(SchedAttr));
  affinity_ = arena.alloc(own_affinity().size());
  first_ = program.allow(SYS_sched_getattr, 0, attributes_, sizeof(SchedAttr), 0);
  // sched_getattr(2) tells no nice value of real-time policies, which is there all the same
  program.allow(SYS_getpriority, PRIO_PROCESS, 0);
  program.allow(SYS_sched_getaffinity, 0, own_affinity().size(), affinity_);
  program.allow(SYS_ioprio_get, kIoprioWhoProcess, 0);
}

void SchedulingReader::collect(const Program& program, const Arena& arena, const std::string& object,
                               pb::thread_core_entry& tc, pb::nsr_thread_entry& ext) const {
  auto result = [&](size_t i) { return program.records()[first_ + i].result; };
  if (result(0) < 0) throw_errno(Failure::target, object, "sched_getattr failed", static_cast<int>(-result(0)));
  const SchedAttr& a = *arena.local<SchedAttr>(attributes_);
  tc.set_sched_nice(static_cast<int32_t>(20 - result(1)));  // the call itself knows no negative results
  tc.set_sched_policy(a.policy);
  if (a.priority) tc.set_sched_prio(a.priority);
  if (a.flags) ext.set_sched_flags(a.flags);
  if (is_fair(a.policy) && a.runtime != usual_slice()) ext.set_sched_runtime(a.runtime);
  if (a.policy == SCHED_DEADLINE) {
    ext.set_sched_runtime(a.runtime);
    ext.set_sched_deadline(a.deadline);
    ext.set_sched_period(a.period);
  }
  if (a.util_min) ext.set_sched_util_min(a.util_min);
  if (a.util_max && a.util_max != 1024) ext.set_sched_util_max(a.util_max);
  if (result(2) > 0) {
    std::string mask(arena.local<char>(affinity_), static_cast<size_t>(result(2)));
    if (is_every_cpu(mask)) mask.assign(mask.size(), kEveryCpu);  // also those of a larger host that it moves to
    ext.set_cpu_affinity(mask);
  }
  if (result(3) >= 0) ext.set_ioprio(static_cast<uint32_t>(result(3)));
}

namespace {

SchedAttr attributes_of(const pb::thread_core_entry& tc, const pb::nsr_thread_entry* ext) {
  SchedAttr a{};
  a.size = kSizeWithoutClamps;
  a.policy = tc.sched_policy();
  a.nice = tc.sched_nice();
  a.priority = tc.sched_prio();
  if (ext) {
    a.flags = ext->sched_flags();
    a.runtime = ext->sched_runtime();
    a.deadline = ext->sched_deadline();
    a.period = ext->sched_period();
    if (ext->has_sched_util_min()) a.flags |= kSchedFlagUtilMin;
    if (ext->has_sched_util_max()) a.flags |= kSchedFlagUtilMax;
    a.util_min = ext->sched_util_min();
    a.util_max = ext->sched_util_max();
    if (a.flags & (kSchedFlagUtilMin | kSchedFlagUtilMax)) a.size = sizeof a;
  }
  return a;
}

/// sched_setattr(2) sets the nice value of SCHED_OTHER and SCHED_BATCH only; the others keep theirs for later.
bool needs_nice(const SchedAttr& a) {
  return a.policy != SCHED_OTHER && a.policy != SCHED_BATCH && a.policy != SCHED_DEADLINE;
}

}  // namespace

void emit_scheduling(const pb::thread_core_entry& tc, const pb::nsr_thread_entry* ext, Program& p, Arena& arena) {
  SchedAttr a = attributes_of(tc, ext);
  if (tc.has_sched_policy() && !is_own(a)) {
    if (needs_nice(a)) p.call(SYS_setpriority, PRIO_PROCESS, 0, a.nice);
    p.call(SYS_sched_setattr, 0, arena.put(a), 0);
    p.note("scheduling policy");
  }
  if (!ext) return;
  // CPUs that this host lacks are no reason to fail: the kernel refuses an empty intersection only
  if (ext->has_cpu_affinity() && needs_affinity(ext->cpu_affinity()))
    p.allow(SYS_sched_setaffinity, 0, ext->cpu_affinity().size(),
            arena.put(ext->cpu_affinity().data(), ext->cpu_affinity().size()));
  // also "none" is set where the engine itself was started with another one
  if (ext->has_ioprio() && ext->ioprio() != own_ioprio()) p.call(SYS_ioprio_set, kIoprioWhoProcess, 0, ext->ioprio());
}

void set_scheduling(HostPid tid, const std::string& object, const pb::thread_core_entry& tc,
                    const pb::nsr_thread_entry* ext) {
  auto must = [&](long result, const char* what) {
    if (result) throw_errno(Failure::environment, object, std::string("its ") + what + " cannot be set", errno);
  };
  SchedAttr a = attributes_of(tc, ext);
  if (tc.has_sched_policy()) {
    if (needs_nice(a)) must(::setpriority(PRIO_PROCESS, static_cast<id_t>(tid.value), a.nice), "nice value");
    must(::syscall(SYS_sched_setattr, tid.value, &a, 0), "scheduling policy");
  }
  if (!ext) return;
  if (ext->has_cpu_affinity())
    ::syscall(SYS_sched_setaffinity, tid.value, ext->cpu_affinity().size(), ext->cpu_affinity().data());
  if (ext->has_ioprio() && ext->ioprio() != own_ioprio())
    must(::syscall(SYS_ioprio_set, kIoprioWhoProcess, tid.value, ext->ioprio()), "I/O priority");
}

}  // namespace nsr
