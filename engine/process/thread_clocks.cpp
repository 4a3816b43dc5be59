#include "engine/process/thread_clocks.h"

#include <sys/syscall.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "engine/process/timer_signals.h"
#include "engine/trace/borrowed_task.h"

namespace nsr {
namespace {

constexpr time_t kFarAhead = 1000000000;

struct Look {
  int32_t id;
  RemoteAddr first, second;
};

bool is_armed(const itimerspec& spec) { return spec.it_value.tv_sec || spec.it_value.tv_nsec; }

std::vector<int32_t> timers_to_find(const std::vector<procfs::PosixTimer>& timers) {
  std::vector<int32_t> ids;
  for (const auto& t : timers)
    if (is_makers_clock(t.clock_id)) ids.push_back(t.id);
  return ids;
}

class ClockThreadFinder {
 public:
  ClockThreadFinder(BorrowedTask& borrowed, const FrozenTask& task, std::vector<int32_t> ids)
      : borrowed_(borrowed), task_(task), ids_(std::move(ids)) {}

  ClockThreads find() {
    far_ = arena().put(itimerspec{{}, {kFarAhead, 0}});
    off_ = arena().put(itimerspec{});
    skip_expired();
    for (size_t i = 0; i < task_.threads.size() && !ids_.empty(); i++) look(i);
    return std::move(found_);
  }

 private:
  Arena& arena() { return borrowed_.arena(); }

  void run(size_t thread, Program program) {
    std::vector<Program> programs(task_.threads.size());
    programs[thread] = std::move(program);
    borrowed_.run(programs);
  }

  Look add_look(int32_t id, Program& program) {
    Look look{id, arena().alloc(sizeof(itimerspec)), arena().alloc(sizeof(itimerspec))};
    program.allow(SYS_timer_gettime, id, look.first);
    program.allow(SYS_timer_gettime, id, look.second);
    return look;
  }

  /// To set such a timer would take its signal away.
  void skip_expired() {
    std::set<int32_t> pending;
    auto note = [&](const std::vector<siginfo_t>& queue) {
      for (const siginfo_t& si : queue)
        if (si.si_code == SI_TIMER) pending.insert(si.si_timerid);
    };
    note(Tracee(task_.threads[0].tid).pending_signals(true));
    for (const FrozenThread& th : task_.threads) note(Tracee(th.tid).pending_signals(false));
    Program program;
    std::vector<Look> looks;
    for (int32_t id : ids_) looks.push_back(add_look(id, program));
    run(0, std::move(program));
    for (const Look& l : looks) {
      if (is_armed(*arena().local<itimerspec>(l.first))) continue;
      if (pending.count(l.id))
        std::erase(ids_, l.id);
      else
        idle_.insert(l.id);
    }
  }

  void look(size_t thread) {
    Program program;
    std::vector<Look> looks;
    for (int32_t id : ids_) {
      if (idle_.count(id)) program.allow(SYS_timer_settime, id, 0, far_, 0);
      looks.push_back(add_look(id, program));
      if (idle_.count(id)) program.allow(SYS_timer_settime, id, 0, off_, 0);
    }
    run(thread, std::move(program));
    for (const Look& l : looks) {
      auto left = [&](RemoteAddr at) { return in_ns(arena().local<itimerspec>(at)->it_value); };
      if (left(l.first) == left(l.second)) continue;
      found_.emplace(l.id, task_.threads[thread].ns_tid);
      std::erase(ids_, l.id);
    }
  }

  BorrowedTask& borrowed_;
  const FrozenTask& task_;
  std::vector<int32_t> ids_;  ///< still to find
  std::set<int32_t> idle_;    ///< not armed
  RemoteAddr far_{}, off_{};
  ClockThreads found_;
};

}  // namespace

bool is_makers_clock(int32_t clock_id) {
  constexpr int32_t kPerThread = 4;  // below the complement of a pid, which is 0 for the caller's own
  return clock_id == CLOCK_THREAD_CPUTIME_ID || (~(clock_id >> 3) == 0 && (clock_id & kPerThread));
}

size_t clock_threads_arena_size(size_t threads, const std::vector<procfs::PosixTimer>& timers) {
  size_t ids = timers_to_find(timers).size();
  if (ids == 0 || threads < 2) return 0;
  return (threads + 1) * (ids * (4 * sizeof(Record) + 2 * sizeof(itimerspec)) + 2 * sizeof(Record)) + 512;
}

ClockThreads find_clock_threads(BorrowedTask& borrowed, const FrozenTask& task,
                                const std::vector<procfs::PosixTimer>& timers) {
  auto ids = timers_to_find(timers);
  if (ids.empty() || task.threads.size() < 2) return {};
  return ClockThreadFinder(borrowed, task, std::move(ids)).find();
}

}  // namespace nsr
