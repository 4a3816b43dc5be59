// /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nsr::procfs {

/// All 52 fields, named as in the man page. Times in clock ticks. Without ptrace read permission addresses and
/// exit_code read 0 (start_code and end_code 1). A task outside the pid namespace of /proc shows as 0.
struct Stat {
  int32_t pid = 0;
  std::string comm;  ///< raw: may hold blanks, parentheses and newlines
  char state = '?';
  int32_t ppid = 0, pgrp = 0, session = 0;
  int32_t tty_nr = 0;  ///< kernel's dev_t encoding: minor bits 31-20 and 7-0, major 15-8
  int32_t tpgid = -1;  ///< foreground group of the terminal, -1 without one
  uint32_t flags = 0;  ///< PF_* of the kernel
  uint64_t minflt = 0, cminflt = 0, majflt = 0, cmajflt = 0, utime = 0, stime = 0;
  int64_t cutime = 0, cstime = 0, priority = 0, nice = 0, num_threads = 0, itrealvalue = 0;
  uint64_t starttime = 0, vsize = 0;
  int64_t rss = 0;  ///< pages
  uint64_t rsslim = 0, start_code = 0, end_code = 0, start_stack = 0, kstkesp = 0, kstkeip = 0;
  uint64_t signal = 0, blocked = 0, sigignore = 0, sigcatch = 0, wchan = 0, nswap = 0, cnswap = 0;
  int32_t exit_signal = 0, processor = 0;
  uint32_t rt_priority = 0, policy = 0;
  uint64_t delayacct_blkio_ticks = 0, guest_time = 0;
  int64_t cguest_time = 0;
  uint64_t start_data = 0, end_data = 0, start_brk = 0, arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
  int32_t exit_code = 0;  ///< as waitpid(2) gives it

  uint32_t tty_major() const { return (static_cast<uint32_t>(tty_nr) >> 8) & 0xfff; }
  uint32_t tty_minor() const {
    return (static_cast<uint32_t>(tty_nr) & 0xff) | ((static_cast<uint32_t>(tty_nr) >> 12) & 0xfff00);
  }
  bool operator==(const Stat&) const = default;
};

/// Fields after the 52nd (newer kernels) are ignored; fewer are an Error(environment).
Stat parse_stat(std::string_view text);

}  // namespace nsr::procfs
