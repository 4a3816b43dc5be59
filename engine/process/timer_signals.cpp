#include "engine/process/timer_signals.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"
#include "engine/trace/borrowed_task.h"

namespace nsr {
namespace {

const Logger log("timers");
constexpr int64_t kSecond = 1000000000;

int64_t in_ns(const timespec& t) { return t.tv_sec * kSecond + t.tv_nsec; }
/// Images may say anything.
int64_t in_ns(uint64_t sec, uint64_t nsec) {
  constexpr uint64_t kCentury = 3155760000;
  return static_cast<int64_t>(std::min(sec, kCentury)) * kSecond + static_cast<int64_t>(nsec % kSecond);
}
timespec from_ns(int64_t ns) { return {ns / kSecond, ns % kSecond}; }

/// Absolute times by which a timer expires at once, has missed `overrun` expiries and next expires after `left`.
/// Nothing when its clock is too young for that (a CPU clock of a restored task).
std::optional<itimerspec> expired_at(int64_t now, int64_t left, int64_t interval, uint64_t overrun) {
  itimerspec spec{};
  spec.it_interval = from_ns(interval);
  __int128 first = 1;
  if (interval) first = static_cast<__int128>(now) + left - static_cast<__int128>(interval) * (overrun + 1);
  if (first < 1 && overrun > 0) return std::nullopt;
  spec.it_value = from_ns(static_cast<int64_t>(std::max<__int128>(first, 1)));
  return spec;
}

/// One pending timer signal while it is read.
struct Pending {
  int32_t id;
  int signo;
  const procfs::PosixTimer* timer;  ///< nullptr: there is none of this id (any more)
  size_t thread;                    ///< index of the thread that takes it
  bool shared;
  Program::Index take = 0;
  RemoteAddr set{}, none{}, info{}, spec{}, now{};
};

class OverrunReader {
 public:
  OverrunReader(BorrowedTask& borrowed, const FrozenTask& task, const std::vector<procfs::PosixTimer>& timers)
      : borrowed_(borrowed), task_(task) {
    for (const auto& t : timers) timers_[t.id] = &t;
  }

  PendingOverruns read() {
    find();
    if (pending_.empty() || at_limit()) return {};
    std::vector<Program> programs(task_.threads.size());
    for (Pending& p : pending_) add_take(p, programs[p.thread]);
    borrowed_.run(programs);
    PendingOverruns found;
    std::vector<Program> again(task_.threads.size());
    for (const Pending& p : pending_) {
      bool taken = programs[p.thread].records()[p.take].result == p.signo;
      int overrun = std::max(0, borrowed_.arena().local<siginfo_t>(p.info)->si_overrun);
      found[p.id] = taken ? overrun : kStaleSignal;
      if (taken && p.timer) add_set(p, static_cast<uint64_t>(overrun), again[p.thread]);
    }
    borrowed_.run(again);
    for (const Pending& p : pending_)
      if (p.timer && found[p.id] != kStaleSignal) await(p);
    return found;
  }

 private:
  /// A timer that is set to the past sends its signal from the next timer interrupt, which may come a moment later.
  void await(const Pending& p) const {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    Tracee thread(task_.threads[p.thread].tid);
    while (std::chrono::steady_clock::now() < patience) {
      for (const siginfo_t& si : thread.pending_signals(p.shared))
        if (si.si_signo == p.signo && si.si_code == SI_TIMER && si.si_timerid == p.id) return;
      ::sched_yield();
    }
    log.warn("pid %d: POSIX timer %d did not send its pending signal again", task_.pid.value, p.id);
  }

  void find() {
    std::vector<siginfo_t> shared = Tracee(task_.threads[0].tid).pending_signals(true);
    for (size_t i = 0; i < task_.threads.size(); i++) {
      std::vector<siginfo_t> own = Tracee(task_.threads[i].tid).pending_signals(false);
      std::map<int, int> count;
      for (const auto* list : {&own, &shared})
        for (const siginfo_t& si : *list) count[si.si_signo]++;
      for (const siginfo_t& si : own) add(si, i, false, count[si.si_signo]);
      for (const siginfo_t& si : shared)
        if (i == 0) add(si, 0, true, count[si.si_signo]);
    }
  }

  void add(const siginfo_t& si, size_t thread, bool shared, int of_its_number) {
    if (si.si_code != SI_TIMER || of_its_number != 1) return;
    auto timer = timers_.find(si.si_timerid);
    bool known = timer != timers_.end() && timer->second->signo == si.si_signo;
    pending_.push_back({si.si_timerid, si.si_signo, known ? timer->second : nullptr, thread, shared});
  }

  /// The signal that is queued again needs room of its own.
  bool at_limit() const {
    auto status = procfs::parse_status(procfs::ProcDir(task_.handle()).read("status"));
    return status.sig_queued + pending_.size() >= status.sig_queue_limit;
  }

  void add_take(Pending& p, Program& program) {
    Arena& arena = borrowed_.arena();
    p.set = arena.put(uint64_t{1} << (p.signo - 1));
    p.none = arena.put(timespec{});
    p.info = arena.alloc(sizeof(siginfo_t));
    p.spec = arena.alloc(sizeof(itimerspec));
    p.now = arena.alloc(sizeof(timespec));
    p.take = program.allow(SYS_rt_sigtimedwait, p.set, p.info, p.none, 8);
    NsPid tid = task_.threads[p.thread].ns_tid;
    // the number comes from the call before: when there was nothing to take, nothing is queued
    if (p.shared)
      program.feed(p.take, program.allow(SYS_rt_sigqueueinfo, task_.ns_pid, 0, p.info), 1);
    else
      program.feed(p.take, program.allow(SYS_rt_tgsigqueueinfo, task_.ns_pid, tid, 0, p.info), 2);
    if (!p.timer) return;
    program.allow(SYS_timer_gettime, p.id, p.spec);
    program.allow(SYS_clock_gettime, p.timer->clock_id, p.now);
  }

  /// The timer's own signal is queued behind ours, which is taken away then.
  void add_set(const Pending& p, uint64_t overrun, Program& program) {
    Arena& arena = borrowed_.arena();
    auto* spec = arena.local<itimerspec>(p.spec);
    auto past =
        expired_at(in_ns(*arena.local<timespec>(p.now)), in_ns(spec->it_value), in_ns(spec->it_interval), overrun);
    if (!past) return;
    *spec = *past;
    program.allow(SYS_timer_settime, p.id, TIMER_ABSTIME, p.spec, 0);
    program.allow(SYS_rt_sigtimedwait, p.set, p.info, p.none, 8);
  }

  BorrowedTask& borrowed_;
  const FrozenTask& task_;
  std::map<int32_t, const procfs::PosixTimer*> timers_;
  std::vector<Pending> pending_;
};

using Queue = google::protobuf::RepeatedPtrField<pb::siginfo_entry>;

siginfo_t siginfo_of(const pb::siginfo_entry& entry) {
  siginfo_t si{};
  std::memcpy(&si, entry.siginfo().data(), std::min(entry.siginfo().size(), sizeof si));
  return si;
}

/// Takes the signals of timers out of one queue.
void take_from(Queue& queue, pb::task_timers_entry& timers, std::vector<SignalledTimer>& out) {
  for (int i = 0; i < queue.size();) {
    siginfo_t si = siginfo_of(queue.Get(i));
    auto timer = std::find_if(timers.mutable_posix()->begin(), timers.mutable_posix()->end(), [&](const auto& t) {
      return si.si_code == SI_TIMER && static_cast<int>(t.it_id()) == si.si_timerid &&
             static_cast<int>(t.si_signo()) == si.si_signo;
    });
    if (timer == timers.mutable_posix()->end()) {
      i++;
      continue;
    }
    out.push_back({*timer, static_cast<uint64_t>(std::max(0, si.si_overrun)), true, si});
    timer->set_vsec(0);
    timer->set_vnsec(0);
    queue.erase(queue.begin() + i);
  }
}

bool is_queued(const std::vector<pb::core_entry*>& threads, uint32_t signo) {
  auto in = [&](const Queue& queue) {
    return std::any_of(queue.begin(), queue.end(),
                       [&](const auto& e) { return siginfo_of(e).si_signo == static_cast<int>(signo); });
  };
  if (in(threads[0]->tc().signals_s().signals())) return true;
  return std::any_of(threads.begin(), threads.end(),
                     [&](const auto* t) { return in(t->thread_core().signals_p().signals()); });
}

}  // namespace

size_t overruns_arena_size(size_t signals) { return signals * (6 * (sizeof(Record) + 32) + 512) + 1024; }

size_t pending_timer_signals(const FrozenTask& task) {
  auto count = [](const std::vector<siginfo_t>& list) {
    return static_cast<size_t>(
        std::count_if(list.begin(), list.end(), [](const siginfo_t& si) { return si.si_code == SI_TIMER; }));
  };
  size_t n = count(Tracee(task.threads[0].tid).pending_signals(true));
  for (const FrozenThread& th : task.threads) n += count(Tracee(th.tid).pending_signals(false));
  return n;
}

PendingOverruns read_overruns(BorrowedTask& borrowed, const FrozenTask& task,
                              const std::vector<procfs::PosixTimer>& timers) {
  return OverrunReader(borrowed, task, timers).read();
}

void note_overruns(const PendingOverruns& overruns, std::vector<siginfo_t>& queued) {
  for (auto si = queued.begin(); si != queued.end();) {
    auto found = si->si_code == SI_TIMER ? overruns.find(si->si_timerid) : overruns.end();
    if (found == overruns.end()) {
      ++si;
    } else if (found->second == kStaleSignal) {
      si = queued.erase(si);
    } else {
      (si++)->si_overrun = found->second;
    }
  }
}

std::vector<SignalledTimer> take_signalled_timers(const std::vector<pb::core_entry*>& threads) {
  std::vector<SignalledTimer> out;
  pb::task_core_entry& tc = *threads[0]->mutable_tc();
  if (tc.timers().posix_size() == 0) return out;
  take_from(*tc.mutable_signals_s()->mutable_signals(), *tc.mutable_timers(), out);
  for (pb::core_entry* t : threads)
    take_from(*t->mutable_thread_core()->mutable_signals_p()->mutable_signals(), *tc.mutable_timers(), out);
  for (pb::posix_timer_entry& t : *tc.mutable_timers()->mutable_posix()) {
    bool counts = t.overrun() && (t.isec() || t.insec()) && (t.vsec() || t.vnsec());
    if (!counts || t.it_sigev_notify() == SIGEV_NONE || is_queued(threads, t.si_signo())) continue;
    out.push_back({t, t.overrun(), false, {}});
    t.set_vsec(0);
    t.set_vnsec(0);
  }
  return out;
}

void start_signalled_timer(const SignalledTimer& timer, NsPid own, const std::string& object, const CallInThread& call,
                           RemoteAddr room, void* local) {
  struct Room {
    timespec now;
    itimerspec spec;
    uint64_t set;
    timespec limit;
    siginfo_t info;
  };
  static_assert(sizeof(Room) <= kSignalledTimerRoom);
  auto* r = static_cast<Room*>(local);
  const pb::posix_timer_entry& t = timer.timer;
  auto must = [&](const char* what, long result) {
    if (result < 0)
      throw_errno(Failure::environment, object, format("%s POSIX timer %u failed", what, t.it_id()),
                  static_cast<int>(-result));
  };
  int32_t clock = static_cast<int32_t>(t.clock_id());
  must("reading the clock of", call(NsPid(0), SYS_clock_gettime, {to_register(clock), room.value}));
  int64_t left = in_ns(t.vsec(), t.vnsec()), interval = in_ns(t.isec(), t.insec());
  auto past = expired_at(in_ns(r->now), left, interval, timer.overrun);
  r->spec = past.value_or(itimerspec{from_ns(interval), from_ns(left)});
  if (!past && timer.pending) {
    r->info = timer.signal;
    uint64_t info = room.value + offsetof(Room, info);
    auto pid = static_cast<uint64_t>(own.value), tid = to_register(t.notify_thread_id());
    must("queueing the signal of", tid ? call(NsPid(0), SYS_rt_tgsigqueueinfo, {pid, tid, t.si_signo(), info})
                                       : call(NsPid(0), SYS_rt_sigqueueinfo, {pid, t.si_signo(), info}));
  }
  must("starting", call(NsPid(0), SYS_timer_settime,
                        {t.it_id(), past ? uint64_t{TIMER_ABSTIME} : 0, room.value + offsetof(Room, spec), 0}));
  if (!past) return;
  if (timer.pending) return;
  r->set = uint64_t{1} << (t.si_signo() - 1);
  r->limit = {1, 0};
  long result = call(NsPid(t.notify_thread_id()), SYS_rt_sigtimedwait,
                     {room.value + offsetof(Room, set), 0, room.value + offsetof(Room, limit), 8});
  if (result < 0) log.warn("%s: the overrun of POSIX timer %u is lost", object.c_str(), t.it_id());
}

}  // namespace nsr
