#include "engine/process/timer_overruns.h"

#include <sys/syscall.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/log.h"
#include "engine/process/timer_signals.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"
#include "engine/trace/borrowed_task.h"

namespace nsr {
namespace {

const Logger log("timers");
constexpr int kFirstRealTime = 32;  ///< the C library keeps the first ones for itself

/// A pending timer signal while it is read.
struct Pending {
  int32_t id;
  const procfs::PosixTimer* timer;  ///< nullptr: there is none of this id (any more)
  Program::Index take = 0;
  RemoteAddr info{}, spec{}, now{};
};

/// All pending signals of one number in one queue, in order; all of timers.
struct Group {
  int signo;
  size_t thread;  ///< index of the thread that takes them
  bool shared;
  std::vector<Pending> signals;
  RemoteAddr set{}, none{};
};

class OverrunReader {
 public:
  OverrunReader(BorrowedTask& borrowed, const FrozenTask& task, const std::vector<procfs::PosixTimer>& timers)
      : borrowed_(borrowed), task_(task) {
    for (const auto& t : timers) timers_[t.id] = &t;
  }

  PendingOverruns read() {
    find();
    if (groups_.empty() || at_limit()) return {};
    std::vector<Program> programs(task_.threads.size());
    for (Group& g : groups_) add_takes(g, programs[g.thread]);
    borrowed_.run(programs);
    std::vector<Program> again(task_.threads.size());
    std::vector<std::pair<const Group*, int32_t>> set;
    for (const Group& g : groups_)
      for (int32_t id : add_sets(g, taken_of(g, programs[g.thread]), again[g.thread])) set.emplace_back(&g, id);
    borrowed_.run(again);
    for (auto [g, id] : set)
      if (!await_timer_signal(task_.threads[g->thread].tid, g->shared, g->signo, id))
        log.warn("pid %d: POSIX timer %d did not send its pending signal again", task_.pid.value, id);
    return found_;
  }

 private:
  void find() {
    std::vector<siginfo_t> shared = Tracee(task_.threads[0].tid).pending_signals(true);
    for (size_t i = 0; i < task_.threads.size(); i++) {
      std::vector<siginfo_t> own = Tracee(task_.threads[i].tid).pending_signals(false);
      add_groups(own, shared, i, false);
      if (i == 0) add_groups(shared, own, 0, true);
    }
  }

  /// other: what the same thread would take too, so that none of its numbers can be taken from this queue alone.
  void add_groups(const std::vector<siginfo_t>& queue, const std::vector<siginfo_t>& other, size_t thread,
                  bool shared) {
    std::map<int, Group> by_number;
    std::set<int> mixed;
    for (const siginfo_t& si : other) mixed.insert(si.si_signo);
    for (const siginfo_t& si : queue) {
      if (si.si_code != SI_TIMER) mixed.insert(si.si_signo);
      auto timer = timers_.find(si.si_timerid);
      bool known = timer != timers_.end() && timer->second->signo == si.si_signo;
      Group& g = by_number.try_emplace(si.si_signo, Group{si.si_signo, thread, shared, {}}).first->second;
      g.signals.push_back({si.si_timerid, known ? timer->second : nullptr});
    }
    for (auto& [signo, g] : by_number) {
      bool queues_once = signo < kFirstRealTime;  // for who queues it by rt_sigqueueinfo(2), not for timers
      if (!mixed.count(signo) && (g.signals.size() == 1 || !queues_once)) groups_.push_back(std::move(g));
    }
  }

  /// The signals that are queued again need room of their own.
  bool at_limit() const {
    size_t signals = 0;
    for (const Group& g : groups_) signals += g.signals.size();
    auto status = procfs::parse_status(procfs::ProcDir(task_.handle()).read("status"));
    return status.sig_queued + signals >= status.sig_queue_limit;
  }

  void add_takes(Group& g, Program& program) {
    Arena& arena = borrowed_.arena();
    g.set = arena.put(uint64_t{1} << (g.signo - 1));
    g.none = arena.put(timespec{});
    for (Pending& p : g.signals) {
      p.info = arena.alloc(sizeof(siginfo_t));
      p.take = program.allow(SYS_rt_sigtimedwait, g.set, p.info, g.none, 8);
    }
    NsPid tid = task_.threads[g.thread].ns_tid;
    // the number comes from the call before: when there was nothing to take, nothing is queued
    for (Pending& p : g.signals)
      if (g.shared)
        program.feed(p.take, program.allow(SYS_rt_sigqueueinfo, task_.ns_pid, 0, p.info), 1);
      else
        program.feed(p.take, program.allow(SYS_rt_tgsigqueueinfo, task_.ns_pid, tid, 0, p.info), 2);
    for (Pending& p : g.signals) {
      if (!p.timer) continue;
      p.spec = arena.alloc(sizeof(itimerspec));
      p.now = arena.alloc(sizeof(timespec));
      program.allow(SYS_timer_gettime, p.id, p.spec);
      program.allow(SYS_clock_gettime, p.timer->clock_id, p.now);
    }
  }

  /// Ids of the signals that were there to be taken, each as often. The others are stale.
  std::vector<int32_t> taken_of(const Group& g, const Program& program) {
    std::vector<int32_t> taken;
    for (const Pending& p : g.signals) found_.emplace(p.id, kStaleSignal);
    for (const Pending& p : g.signals) {
      if (program.records()[p.take].result != g.signo) continue;
      const auto* info = borrowed_.arena().local<siginfo_t>(p.info);
      int& overrun = found_[info->si_timerid];
      overrun = kStaleSignal == overrun ? std::max(0, info->si_overrun) : overrun + 1 + std::max(0, info->si_overrun);
      taken.push_back(info->si_timerid);
    }
    return taken;
  }

  /// The timers' own signals are queued behind ours, which are taken away then. Returns the timers; none of them when
  /// one cannot: then ours stay.
  std::vector<int32_t> add_sets(const Group& g, const std::vector<int32_t>& taken, Program& program) {
    Arena& arena = borrowed_.arena();
    std::map<int32_t, RemoteAddr> specs;
    for (const Pending& p : g.signals) {
      if (std::find(taken.begin(), taken.end(), p.id) == taken.end()) continue;
      if (!p.timer) return {};
      auto* spec = arena.local<itimerspec>(p.spec);
      auto past = expired_at(in_ns(*arena.local<timespec>(p.now)), in_ns(spec->it_value), in_ns(spec->it_interval),
                             static_cast<uint64_t>(found_[p.id]));
      if (!past) return {};
      *spec = *past;
      specs.emplace(p.id, p.spec);
    }
    std::vector<int32_t> set;
    for (int32_t id : taken) {
      if (std::find(set.begin(), set.end(), id) != set.end()) continue;
      program.allow(SYS_timer_settime, id, TIMER_ABSTIME, specs[id], 0);
      set.push_back(id);
    }
    for (size_t i = 0; i < taken.size(); i++) program.allow(SYS_rt_sigtimedwait, g.set, g.signals[i].info, g.none, 8);
    return set;
  }

  BorrowedTask& borrowed_;
  const FrozenTask& task_;
  std::map<int32_t, const procfs::PosixTimer*> timers_;
  std::vector<Group> groups_;
  PendingOverruns found_;
};

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
  std::set<int32_t> noted;
  for (auto si = queued.begin(); si != queued.end();) {
    auto found = si->si_code == SI_TIMER ? overruns.find(si->si_timerid) : overruns.end();
    if (found == overruns.end()) {
      ++si;
    } else if (found->second == kStaleSignal || !noted.insert(si->si_timerid).second) {
      si = queued.erase(si);
    } else {
      (si++)->si_overrun = found->second;
    }
  }
}

}  // namespace nsr
