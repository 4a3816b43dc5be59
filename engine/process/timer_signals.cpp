#include "engine/process/timer_signals.h"

#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/trace/program.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

const Logger log("timers");
constexpr int64_t kSecond = 1000000000;

/// Images may say anything.
int64_t in_ns(uint64_t sec, uint64_t nsec) {
  constexpr uint64_t kCentury = 3155760000;
  return static_cast<int64_t>(std::min(sec, kCentury)) * kSecond + static_cast<int64_t>(nsec % kSecond);
}
timespec from_ns(int64_t ns) { return {ns / kSecond, ns % kSecond}; }

using Queue = google::protobuf::RepeatedPtrField<pb::siginfo_entry>;

siginfo_t siginfo_of(const pb::siginfo_entry& entry) {
  siginfo_t si{};
  std::memcpy(&si, entry.siginfo().data(), std::min(entry.siginfo().size(), sizeof si));
  return si;
}

void add_expiries(SignalledTimer& timer, uint64_t more) {
  timer.overrun = std::min<uint64_t>(timer.overrun + more, INT32_MAX);
  timer.signal.si_overrun = static_cast<int>(timer.overrun);
}

/// Takes the signals of timers out of one queue. A second one of a timer comes from a dump between two restores: the
/// first had been queued by itself (start_signalled_timer).
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
    queue.erase(queue.begin() + i);
    const auto expiries = static_cast<uint64_t>(std::max(0, si.si_overrun));
    auto taken = std::find_if(out.begin(), out.end(),
                              [&](const SignalledTimer& t) { return t.timer.it_id() == timer->it_id(); });
    if (taken != out.end()) {
      add_expiries(*taken, expiries + 1);
      continue;
    }
    out.push_back({*timer, expiries, true, si});
    timer->set_vsec(0);
    timer->set_vnsec(0);
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

int64_t in_ns(const timespec& t) { return t.tv_sec * kSecond + t.tv_nsec; }

std::optional<itimerspec> expired_at(int64_t now, int64_t left, int64_t interval, uint64_t overrun) {
  itimerspec spec{};
  spec.it_interval = from_ns(interval);
  __int128 first = 1;
  if (interval) first = static_cast<__int128>(now) + left - static_cast<__int128>(interval) * (overrun + 1);
  if (first < 1 && overrun > 0) return std::nullopt;
  spec.it_value = from_ns(static_cast<int64_t>(std::max<__int128>(first, 1)));
  return spec;
}

bool await_timer_signal(HostPid tid, bool shared, int signo, int32_t id) {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  Tracee thread(tid);
  while (std::chrono::steady_clock::now() < patience) {
    for (const siginfo_t& si : thread.pending_signals(shared))
      if (si.si_signo == signo && si.si_code == SI_TIMER && si.si_timerid == id) return true;
    ::sched_yield();
  }
  return false;
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

void start_signalled_timer(const SignalledTimer& timer, NsPid own, HostPid taker, const std::string& object,
                           const CallInThread& call, RemoteAddr room, void* local) {
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
  if (timer.pending) {
    const auto signo = static_cast<int>(t.si_signo());
    if (!await_timer_signal(taker, !t.notify_thread_id(), signo, static_cast<int32_t>(t.it_id())))
      throw Error(Failure::environment, object, format("POSIX timer %u did not send its pending signal", t.it_id()));
    return;
  }
  r->set = uint64_t{1} << (t.si_signo() - 1);
  r->limit = {1, 0};
  long result = call(NsPid(t.notify_thread_id()), SYS_rt_sigtimedwait,
                     {room.value + offsetof(Room, set), 0, room.value + offsetof(Room, limit), 8});
  if (result < 0) log.warn("%s: the overrun of POSIX timer %u is lost", object.c_str(), t.it_id());
}

}  // namespace nsr
