#include "engine/process/timers.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <algorithm>

#include "engine/base/error.h"

namespace nsr {
namespace {

struct KernelSigevent {
  uint64_t value;
  int32_t signo, notify, tid, pad[11];
};

void itimer_out(const itimerval& v, pb::itimer_entry& e) {
  e.set_isec(static_cast<uint64_t>(v.it_interval.tv_sec));
  e.set_iusec(static_cast<uint64_t>(v.it_interval.tv_usec));
  e.set_vsec(static_cast<uint64_t>(v.it_value.tv_sec));
  e.set_vusec(static_cast<uint64_t>(v.it_value.tv_usec));
}

itimerval itimer_in(const pb::itimer_entry& e) {
  itimerval v{};
  v.it_interval = {static_cast<time_t>(e.isec()), static_cast<suseconds_t>(e.iusec())};
  v.it_value = {static_cast<time_t>(e.vsec()), static_cast<suseconds_t>(e.vusec())};
  return v;
}

/// The id by which every thread of the process can name that clock of thread tid (clock_getcpuclockid(3)): the
/// complement of the tid above three bits for its kind.
int32_t cpu_clock_of(NsPid tid, int32_t id) {
  constexpr int32_t kPerThread = 4, kSched = 2;
  int32_t kind = id == CLOCK_THREAD_CPUTIME_ID ? kPerThread | kSched : id & 7;
  return static_cast<int32_t>(~static_cast<uint32_t>(tid.value) << 3) | kind;
}

}  // namespace

void TimerReader::add(Program& program, Arena& arena) {
  itimers_ = arena.alloc(3 * sizeof(itimerval));
  for (uint64_t k = 0; k < 3; k++) program.allow(SYS_getitimer, k, itimers_.value + k * sizeof(itimerval));
  values_ = arena.alloc(posix_.size() * sizeof(itimerspec) + 8);
  for (size_t k = 0; k < posix_.size(); k++) {
    program.allow(SYS_timer_gettime, posix_[k].id, values_.value + k * sizeof(itimerspec));
    overruns_.push_back(program.allow(SYS_timer_getoverrun, posix_[k].id));
  }
}

void TimerReader::collect(const Program& program, const Arena& arena, const PidMap& pids, NsPid process,
                          const ClockThreads& clock_threads, pb::task_timers_entry& out) const {
  const auto* it = arena.local<itimerval>(itimers_);
  itimer_out(it[0], *out.mutable_real());
  itimer_out(it[1], *out.mutable_virt());
  itimer_out(it[2], *out.mutable_prof());
  const auto* spec = arena.local<itimerspec>(values_);
  for (size_t k = 0; k < posix_.size(); k++) {
    pb::posix_timer_entry& e = *out.add_posix();
    const procfs::PosixTimer& t = posix_[k];
    e.set_it_id(static_cast<uint32_t>(t.id));
    e.set_clock_id(static_cast<uint32_t>(t.clock_id));
    e.set_si_signo(static_cast<uint32_t>(t.signo));
    e.set_it_sigev_notify(static_cast<uint32_t>(t.sigev_notify()));
    e.set_sival_ptr(t.sigval);
    int64_t overrun = program.records()[overruns_[k]].result;
    e.set_overrun(overrun > 0 ? static_cast<uint32_t>(overrun) : 0);
    e.set_isec(static_cast<uint64_t>(spec[k].it_interval.tv_sec));
    e.set_insec(static_cast<uint64_t>(spec[k].it_interval.tv_nsec));
    e.set_vsec(static_cast<uint64_t>(spec[k].it_value.tv_sec));
    e.set_vnsec(static_cast<uint64_t>(spec[k].it_value.tv_nsec));
    if (auto tid = t.thread_id ? pids.inner(HostPid(t.target)) : std::nullopt) e.set_notify_thread_id(tid->value);
    auto owner = clock_threads.find(t.id);
    if (owner != clock_threads.end() && owner->second != process)
      e.set_clock_id(static_cast<uint32_t>(cpu_clock_of(owner->second, t.clock_id)));
  }
}

bool can_choose_timer_ids() { return ::prctl(kPrTimerCreateRestoreIds, kRestoreIdsGet, 0, 0, 0) >= 0; }

void emit_posix_timers(const pb::task_timers_entry& timers, bool exact_ids, Program& program, Arena& arena) {
  if (timers.posix_size() == 0) return;
  std::vector<const pb::posix_timer_entry*> order;
  for (const auto& t : timers.posix()) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->it_id() < b->it_id(); });
  if (exact_ids) program.call(SYS_prctl, kPrTimerCreateRestoreIds, 1, 0, 0, 0);
  RemoteAddr scratch = arena.alloc(8);
  uint32_t next = 0;
  for (const auto* t : order) {
    if (!exact_ids && t->it_id() > kMostTimerIds)
      throw Error(Failure::environment, format("POSIX timer %u", t->it_id()),
                  "before Linux 6.15 only small timer ids can be made again", "restore on Linux 6.15 or later");
    // before 6.15 ids are handed out one after the other: use up those between
    for (; !exact_ids && next < t->it_id(); next++) {
      program.call(SYS_timer_create, CLOCK_MONOTONIC, 0, scratch);
      program.note(format("POSIX timer on the way to id %u", t->it_id()));
      program.call(SYS_timer_delete, next);
      program.note(format("deleting POSIX timer %u on the way to id %u", next, t->it_id()));
    }
    KernelSigevent ev{};
    ev.value = t->sival_ptr();
    ev.signo = static_cast<int32_t>(t->si_signo());
    ev.notify = static_cast<int32_t>(t->it_sigev_notify());
    if (t->has_notify_thread_id()) {
      ev.notify |= SIGEV_THREAD_ID;
      ev.tid = t->notify_thread_id();
    }
    int32_t id = static_cast<int32_t>(t->it_id());
    program.call(SYS_timer_create, static_cast<int32_t>(t->clock_id()), arena.put(ev), arena.put(id));
    program.note(format("POSIX timer %d", id));
    next = t->it_id() + 1;
  }
  if (exact_ids) program.call(SYS_prctl, kPrTimerCreateRestoreIds, 0, 0, 0, 0);
}

void emit_start_timers(const pb::task_timers_entry& timers, Program& program, Arena& arena) {
  for (const auto& t : timers.posix()) {
    itimerspec spec{};
    spec.it_interval = {static_cast<time_t>(t.isec()), static_cast<long>(t.insec())};
    spec.it_value = {static_cast<time_t>(t.vsec()), static_cast<long>(t.vnsec())};
    if (spec.it_value.tv_sec || spec.it_value.tv_nsec)
      program.call(SYS_timer_settime, static_cast<int32_t>(t.it_id()), 0, arena.put(spec), 0);
  }
  const pb::itimer_entry* it[3] = {&timers.real(), &timers.virt(), &timers.prof()};
  for (int k = 0; k < 3; k++) {
    itimerval v = itimer_in(*it[k]);
    // A periodic ITIMER_REAL stands still from its expiry until SIGALRM is taken. Zero would stop it for good; the
    // expiry that comes now finds the restored signal in the queue and waits behind it in the same way.
    bool waits_for_signal = k == ITIMER_REAL && (v.it_interval.tv_sec || v.it_interval.tv_usec);
    if (waits_for_signal && !v.it_value.tv_sec && !v.it_value.tv_usec) v.it_value.tv_usec = 1;
    if (v.it_value.tv_sec || v.it_value.tv_usec) program.call(SYS_setitimer, k, arena.put(v), 0);
  }
}

}  // namespace nsr
