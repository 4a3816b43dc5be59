#include "engine/procfs/timers.h"

#include <csignal>

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "timers";

LineParser line_of(Lines& lines, std::string_view key) {
  auto line = lines.next();
  if (!line) missing(kKind, key.data());
  LineParser p(kKind, *line);
  p.expect(key);
  return p;
}

/// "signal/pid.2634"
void parse_notify(LineParser p, PosixTimer& timer) {
  p.at_end();
  if (p.accept("signal/"))
    timer.notify = PosixTimer::Notify::signal;
  else if (p.accept("none/"))
    timer.notify = PosixTimer::Notify::none;
  else if (p.accept("thread/"))
    timer.notify = PosixTimer::Notify::thread;
  else
    p.fail("unknown notification");
  timer.thread_id = p.accept("tid.");
  if (!timer.thread_id) p.expect("pid.");
  timer.target = p.number<int32_t>();
  p.end();
}

}  // namespace

int PosixTimer::sigev_notify() const {
  int how = notify == Notify::none ? SIGEV_NONE : notify == Notify::thread ? SIGEV_THREAD : SIGEV_SIGNAL;
  return thread_id ? how | SIGEV_THREAD_ID : how;
}

std::vector<PosixTimer> parse_timers(std::string_view text) {
  std::vector<PosixTimer> timers;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    PosixTimer timer;
    LineParser id(kKind, *line);
    id.expect("ID:");
    timer.id = id.number<int32_t>();
    id.end();
    LineParser signal = line_of(lines, "signal:");
    timer.signo = signal.number<int32_t>();
    signal.expect("/");
    timer.sigval = signal.hex();
    signal.end();
    parse_notify(line_of(lines, "notify:"), timer);
    LineParser clock = line_of(lines, "ClockID:");
    timer.clock_id = clock.number<int32_t>();
    clock.end();
    timers.push_back(timer);
  }
  return timers;
}

}  // namespace nsr::procfs
