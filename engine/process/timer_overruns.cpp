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
    for (const Group& g : groups_) set_again(g, taken_of(g, programs[g.thread]));
    return std::move(found_);
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

  /// Ids of the signals that were there to be taken, each as often. The others were of timers that have been set again,
  /// deleted or stopped since: the kernel (6.13) has dropped them now.
  std::vector<int32_t> taken_of(const Group& g, const Program& program) {
    std::vector<int32_t> taken;
    for (const Pending& p : g.signals) {
      if (program.records()[p.take].result != g.signo) continue;
      const auto* info = borrowed_.arena().local<siginfo_t>(p.info);
      auto [found, first] = found_.try_emplace(info->si_timerid, PendingOverrun{-1, taken.size()});
      found->second.overrun += 1 + std::max(0, info->si_overrun);
      taken.push_back(info->si_timerid);
    }
    return taken;
  }

  /// Each timer's own signal is queued behind ours, of which the first is taken away then: one after the other, so that
  /// all are there at any moment. They are in order but for a timer that expires by itself meanwhile. Ours stay when
  /// one of the timers cannot be set so.
  void set_again(const Group& g, const std::vector<int32_t>& taken) {
    std::map<int32_t, RemoteAddr> specs = past_times(g);
    for (int32_t id : taken)
      if (!specs.count(id)) return;
    std::set<int32_t> set;
    for (int32_t id : taken) {
      std::vector<Program> programs(task_.threads.size());
      bool first = set.insert(id).second;
      if (first) programs[g.thread].allow(SYS_timer_settime, id, TIMER_ABSTIME, specs[id], 0);
      programs[g.thread].allow(SYS_rt_sigtimedwait, g.set, 0, g.none, 8);
      borrowed_.run(programs);
      if (first && !await_timer_signal(task_.threads[g.thread].tid, g.shared, g.signo, id))
        log.warn("pid %d: POSIX timer %d did not send its pending signal again", task_.pid.value, id);
    }
  }

  /// By timer id, in the task's memory.
  std::map<int32_t, RemoteAddr> past_times(const Group& g) const {
    Arena& arena = borrowed_.arena();
    std::map<int32_t, RemoteAddr> specs;
    for (const Pending& p : g.signals) {
      auto found = found_.find(p.id);
      if (!p.timer || found == found_.end() || specs.count(p.id)) continue;
      auto* spec = arena.local<itimerspec>(p.spec);
      auto past = expired_at(in_ns(*arena.local<timespec>(p.now)), in_ns(spec->it_value), in_ns(spec->it_interval),
                             static_cast<uint64_t>(found->second.overrun));
      if (!past) continue;
      *spec = *past;
      specs.emplace(p.id, p.spec);
    }
    return specs;
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
  std::map<int, std::map<size_t, siginfo_t>> noted;  // by number and place
  std::erase_if(queued, [&](siginfo_t& si) {
    auto found = si.si_code == SI_TIMER ? overruns.find(si.si_timerid) : overruns.end();
    if (found == overruns.end()) return false;
    si.si_overrun = found->second.overrun;
    return !noted[si.si_signo].emplace(found->second.place, si).second;
  });
  for (siginfo_t& si : queued) {
    if (si.si_code != SI_TIMER || !overruns.count(si.si_timerid)) continue;
    auto& rest = noted[si.si_signo];
    si = rest.begin()->second;
    rest.erase(rest.begin());
  }
}

}  // namespace nsr
