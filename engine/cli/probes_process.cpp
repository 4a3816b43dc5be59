#include <fcntl.h>
#include <linux/filter.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"
#include "engine/cli/probes.h"

namespace nsr::probe {
namespace {

/// A child that has prepared itself and sleeps; killed when this goes.
class Victim {
 public:
  explicit Victim(bool with_filter) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    UniqueFd in(ends[0]), out(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      if (with_filter && !install_filter()) ::_exit(1);
      char ready = 1;
      if (!write_exact(out.get(), &ready, 1)) ::_exit(1);
      for (;;) ::pause();
    }
    out.reset();
    char ready;
    ready_ = pid_ > 0 && read_exact(in.get(), &ready, 1);
  }
  ~Victim() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  bool seize(long options) { return ready_ && ::ptrace(PTRACE_SEIZE, pid_, nullptr, options) == 0; }
  bool stop() {
    int status = 0;
    return ::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) == 0 && ::waitpid(pid_, &status, __WALL) == pid_ &&
           WIFSTOPPED(status);
  }
  pid_t pid() const { return pid_; }

 private:
  static bool install_filter() {
    sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    sock_fprog program{1, &allow};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

  pid_t pid_ = -1;
  bool ready_ = false;
};

constexpr int ptrace_get_rseq_configuration = 0x420f;  // Linux 5.13
constexpr int ptrace_get_dispatch = 0x4211;            // Linux 6.4
constexpr int membarrier_get_registrations = 1 << 9;   // Linux 6.3
constexpr int prctl_timer_create_restore_ids = 77;     // Linux 6.15

}  // namespace

bool seccomp_suspend() { return Victim(true).seize(PTRACE_O_SUSPEND_SECCOMP); }

bool seccomp_filters() {
  Victim victim(true);
  return victim.seize(0) && victim.stop() &&
         ::ptrace(static_cast<__ptrace_request>(PTRACE_SECCOMP_GET_FILTER), victim.pid(), 0, nullptr) == 1;
}

bool rseq_configuration() {
  Victim victim(false);
  struct {
    uint64_t address;
    uint32_t size, signature, flags, pad;
  } rseq;
  return victim.seize(0) && victim.stop() &&
         ::ptrace(static_cast<__ptrace_request>(ptrace_get_rseq_configuration), victim.pid(), sizeof rseq, &rseq) ==
             sizeof rseq;
}

bool breakpoints() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_BREAKPOINT;
  attr.size = sizeof attr;
  attr.bp_type = HW_BREAKPOINT_X;
  attr.bp_addr = reinterpret_cast<uint64_t>(&breakpoints);
  attr.bp_len = sizeof(long);
  attr.disabled = 1;
  attr.exclude_kernel = 1;
  return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC))).get() >= 0;
}

bool loginuid() {
  return in_child([] {
    auto own = read_file("/proc/self/loginuid");
    return own && write_file("/proc/self/loginuid", *own == "4294967295" ? "0" : *own);
  });
}

bool clone3_set_tid() {
  // Asking for an id that is taken: EEXIST tells that the kernel looked at it and allowed it.
  pid_t taken = ::getpid();
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<uint64_t>(&taken);
  args.set_tid_size = 1;
  long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  return pid < 0 && errno == EEXIST;
}

bool pidfd() {
  UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self) return false;
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, self.get(), self.get(), 0))).get() >= 0;
}

bool timer_ids() {
  constexpr unsigned long get = 2;
  return ::prctl(prctl_timer_create_restore_ids, get, 0, 0, 0) >= 0;
}

bool raise_limits() {
  return in_child([] {
    const rlimit none{0, 0}, some{1, 1};
    return ::setrlimit(RLIMIT_CORE, &none) == 0 && ::setrlimit(RLIMIT_CORE, &some) == 0;
  });
}

bool dead_leaders() {
  constexpr unsigned of_a_thread = O_EXCL;  // PIDFD_THREAD
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::gettid(), of_a_thread))).get() >= 0;
}

bool user_dispatch() {
  Victim victim(false);
  uint64_t config[4];
  return victim.seize(0) && victim.stop() &&
         ::ptrace(static_cast<__ptrace_request>(ptrace_get_dispatch), victim.pid(), sizeof config, config) == 0;
}

bool membarrier_registrations() { return ::syscall(SYS_membarrier, membarrier_get_registrations, 0, 0) >= 0; }

bool sleep_times() {
  auto text = read_file("/proc/self/sched");
  return text && text->find("exec_start") != std::string::npos;
}

bool nspid() {
  auto status = read_file("/proc/self/status");
  return status && status->find("\nNSpid:") != std::string::npos;
}

}  // namespace nsr::probe
