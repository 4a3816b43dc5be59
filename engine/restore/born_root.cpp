#include "engine/restore/born_root.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "engine/base/error.h"
#include "engine/trace/task_program.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

constexpr long kPtraceOSuspendSeccomp = 1 << 21;
constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
constexpr uint64_t kAllButTrap = ~(1ull << (SIGTRAP - 1));

std::string object_of(NsPid pid) { return format("pid %d", pid.value); }

/// Tasks start deaf: a signal that came now would run a handler that is not there yet.
long clone_deaf(void* args, RemoteAddr stub) {
  uint64_t old = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kAllButTrap, &old, 8);
  long pid = arch::clone_into_stub(args, kCloneArgsSize, stub);
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, nullptr, 8);
  return pid;
}

}  // namespace

BornRoot::BornRoot(SharedArea& area, const Birth& birth) : area_(area), shares_table_(birth.shares_table) {
  Arena& arena = area.arena();
  RemoteAddr gate = arena.alloc(8);
  Program prelude = root_prelude(area, gate, !birth.sibling);
  RemoteAddr begin = store_for_clone(prelude, arena);
  Program one;
  one.allow(SYS_getpid);
  slot_ = one.store(arena);
  uint64_t flags = (birth.sibling ? CLONE_PARENT : 0) | birth.namespaces | (birth.shares_table ? CLONE_FILES : 0);
  RemoteAddr args = clone_arguments(arena, begin, birth.pid, flags, birth.sibling ? 0 : SIGCHLD, RemoteAddr(0), false);
  long pid = clone_deaf(arena.local(args), area.stub());
  if (pid == -EEXIST)
    throw Error(Failure::environment, object_of(birth.pid), "this id is taken on this host",
                "use ns-restore, which gives the tree a pid namespace of its own");
  if (pid < 0)
    throw_errno(Failure::environment, object_of(birth.pid), "creating the root task failed", static_cast<int>(-pid));
  pid_ = HostPid(static_cast<int32_t>(pid));
  Tracee tracee(pid_);
  int err = tracee.seize(kOptions | kPtraceOSuspendSeccomp);
  if (err) err = tracee.seize(kOptions);
  if (err) {
    ::kill(pid_.value, SIGKILL);
    throw_errno(Failure::environment, object_of(birth.pid), "tracing the root task failed", err);
  }
  std::atomic_ref<int32_t>(*arena.local<int32_t>(gate)).store(1);
  ::syscall(SYS_futex, arena.local(gate), FUTEX_WAKE, 1, nullptr, nullptr, 0);
  wait_for_end(begin, prelude.size());
}

BornRoot::~BornRoot() {
  if (!pid_) return;
  ::kill(pid_.value, SIGKILL);
  int status;
  while (::waitpid(pid_.value, &status, __WALL) > 0 ? WIFSTOPPED(status) : errno == EINTR) {
  }
}

void BornRoot::wait_for_end(RemoteAddr program, size_t calls) {
  Stop stop = Waits::wait(pid_);
  while (stop.kind == Stop::Kind::event || (stop.kind == Stop::Kind::signal && stop.signal != SIGTRAP)) {
    Tracee(pid_).resume();
    stop = Waits::wait(pid_);
  }
  if (stop.kind != Stop::Kind::signal)
    throw Error(Failure::environment, "root task", "it was killed while it was restored",
                "check memory limits and the kernel log");
  if (arch::program_position(Tracee(pid_).registers(), program) < calls)
    throw Error(Failure::internal, "root task", "it did not come into being");
}

long BornRoot::run(long nr, const std::array<uint64_t, 6>& args) {
  Record& record = *area_.arena().local<Record>(slot_);
  record.nr = static_cast<int32_t>(nr);
  for (size_t i = 0; i < 6; i++) record.arg[i] = args[i];
  record.result = kNotRun;
  Tracee tracee(pid_);
  tracee.set_registers(arch::at_program(tracee.registers(), area_.stub(), slot_));
  tracee.resume();
  wait_for_end(slot_, 1);
  return record.result;
}

void BornRoot::take_table() {
  if (!std::exchange(shares_table_, false)) return;
  if (long r = call(SYS_unshare, CLONE_FILES))
    throw_errno(Failure::environment, "root task", "making a descriptor table of its own failed", static_cast<int>(-r));
}

HostPid BornRoot::hand_over() { return std::exchange(pid_, HostPid()); }

}  // namespace nsr
