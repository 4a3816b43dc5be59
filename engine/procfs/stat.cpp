#include "engine/procfs/stat.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "stat";

template <class... T>
void take(LineParser& p, T&... fields) {
  ((fields = p.number<T>()), ...);
}

}  // namespace

Stat parse_stat(std::string_view text) {
  if (!text.ends_with('\n')) bad_line(kKind, text, "cut off");
  std::string_view line = text.substr(0, text.size() - 1);
  // The name may hold anything, also ") R 1": only the last parenthesis is the kernel's.
  size_t open = line.find('('), close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    bad_line(kKind, line, "no (name)");

  Stat s;
  LineParser head(kKind, line, line.substr(0, open));
  s.pid = head.number<int32_t>();
  head.end();
  s.comm = line.substr(open + 1, close - open - 1);
  LineParser p(kKind, line, line.substr(close + 1));
  std::string_view state = p.word();
  if (state.size() != 1) p.fail("state is not one letter");
  s.state = state[0];
  take(p, s.ppid, s.pgrp, s.session, s.tty_nr, s.tpgid, s.flags, s.minflt, s.cminflt, s.majflt, s.cmajflt, s.utime,
       s.stime, s.cutime, s.cstime, s.priority, s.nice, s.num_threads, s.itrealvalue, s.starttime, s.vsize, s.rss,
       s.rsslim, s.start_code, s.end_code, s.start_stack, s.kstkesp, s.kstkeip, s.signal, s.blocked, s.sigignore,
       s.sigcatch, s.wchan, s.nswap, s.cnswap, s.exit_signal, s.processor, s.rt_priority, s.policy,
       s.delayacct_blkio_ticks, s.guest_time, s.cguest_time, s.start_data, s.end_data, s.start_brk, s.arg_start,
       s.arg_end, s.env_start, s.env_end, s.exit_code);
  return s;
}

}  // namespace nsr::procfs
