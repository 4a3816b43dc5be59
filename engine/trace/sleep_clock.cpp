#include "engine/trace/sleep_clock.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/procfs/stat.h"

namespace nsr {
namespace {

uint64_t monotonic_ns() {
  timespec ts{};
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

/// "se.exec_start   :   5733225.040492", milliseconds.
std::optional<uint64_t> exec_start(const std::string& sched) {
  size_t at = sched.find("se.exec_start");
  if (at == std::string::npos || (at = sched.find(':', at)) == std::string::npos) return std::nullopt;
  char* end = nullptr;
  const char* text = sched.c_str() + at + 1;
  uint64_t ms = std::strtoull(text, &end, 10);
  if (end == text || *end != '.') return std::nullopt;
  uint64_t ns = 0, unit = 100000;
  for (const char* p = end + 1; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
    ns += static_cast<uint64_t>(*p - '0') * unit;
  return ms * 1000000 + ns;
}

/// After an interruption the number of the call is restart_syscall; where the thread waits tells which one it was.
long restarted_number(const procfs::ProcDir& dir, HostPid tid, const procfs::CurrentCall& call) {
  if (call.nr != SYS_restart_syscall) return 0;
  std::string place = dir.try_read(format("task/%d/wchan", tid.value)).value_or("");
  if (place.find("futex") != std::string::npos) return SYS_futex;
  if (place.find("poll") != std::string::npos) return SYS_poll;
  // All of nanosleep is scheduler code, which wchan leaves out: it shows the entry. A clock id is no pointer.
  if (place.find("sleep") != std::string::npos || place.find("syscall") != std::string::npos)
    return call.arg[0] < 4096 ? SYS_clock_nanosleep : SYS_nanosleep;
  return 0;
}

}  // namespace

bool has_timeout(const procfs::CurrentCall& call) {
  const auto& arg = call.arg;
  switch (call.nr) {
    case SYS_poll:
      return static_cast<int32_t>(arg[2]) > 0;
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      return static_cast<int32_t>(arg[3]) > 0;
    case SYS_futex:
      return (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && arg[3] != 0;
    case SYS_nanosleep:
      return arg[1] == 0;  // with a remainder pointer the kernel writes what is left
    case SYS_clock_nanosleep:
      return !(arg[1] & TIMER_ABSTIME) && arg[3] == 0;
    case SYS_rt_sigtimedwait:
      return arg[2] != 0;
    case SYS_semtimedop:
    case 441 /* epoll_pwait2 */:
      return arg[3] != 0;
    case SYS_io_getevents:
    case 333 /* io_pgetevents */:
      return arg[4] != 0;
    case SYS_restart_syscall:
      return true;
    default:
      return false;
  }
}

std::optional<SleepMark> mark_sleep(const procfs::ProcDir& dir, HostPid tid) {
  auto text = dir.try_read(format("task/%d/syscall", tid.value));
  auto call = text ? procfs::parse_current_call(*text) : std::nullopt;
  if (!call || !has_timeout(*call)) return std::nullopt;
  auto sched = dir.try_read(format("task/%d/sched", tid.value));
  uint64_t now = monotonic_ns();
  auto stat = dir.try_read(format("task/%d/stat", tid.value));
  SleepMark mark;
  mark.restarted_nr = restarted_number(dir, tid, *call);
  mark.looked_at = now;
  if (!sched || !stat) return mark;
  mark.off_cpu_at = exec_start(*sched).value_or(0);
  mark.cpu = procfs::parse_stat(*stat).processor;
  return mark;
}

std::optional<int64_t> SleepClock::offset_of(int cpu) {
  auto known = offsets_.find(cpu);
  if (known != offsets_.end()) return known->second;
  std::optional<int64_t>& offset = offsets_[cpu];
  cpu_set_t before, only;
  CPU_ZERO(&only);
  if (cpu >= CPU_SETSIZE || ::sched_getaffinity(0, sizeof before, &before)) return offset;
  CPU_SET(static_cast<size_t>(cpu), &only);
  if (::sched_setaffinity(0, sizeof only, &only)) return offset;
  for (int k = 0; k < 3; k++) {
    // after a sleep exec_start is the moment of waking; the clock is read afterwards: the offset is never too small
    timespec moment{0, 20000};
    ::nanosleep(&moment, nullptr);
    auto text = read_file("/proc/thread-self/sched");
    uint64_t now = monotonic_ns();
    auto at = text ? exec_start(*text) : std::nullopt;
    if (!at) break;
    int64_t found = static_cast<int64_t>(now) - static_cast<int64_t>(*at);
    offset = offset ? std::min(*offset, found) : found;
  }
  ::sched_setaffinity(0, sizeof before, &before);
  return offset;
}

uint64_t SleepClock::slept_ns(const SleepMark& mark) {
  if (mark.off_cpu_at == 0) return 0;
  auto offset = offset_of(mark.cpu);
  if (!offset) return 0;
  int64_t slept = static_cast<int64_t>(mark.looked_at) - static_cast<int64_t>(mark.off_cpu_at) - *offset;
  return slept > 0 ? static_cast<uint64_t>(slept) : 0;
}

}  // namespace nsr
