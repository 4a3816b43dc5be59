#include "engine/restore/descriptor_vault.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {
namespace {

/// Without an exit signal: whoever waits for children of the engine is not told of it.
long copy_of_this_process(UniqueFd& pidfd, pid_t id) {
  int fd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&fd);
  args.set_tid = id > 0 ? reinterpret_cast<uint64_t>(&id) : 0;  // an address without a size is EINVAL
  args.set_tid_size = id > 0 ? 1 : 0;
  long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid > 0) pidfd.reset(fd);
  return pid;
}

[[noreturn]] void hold(pid_t engine) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // 0: the parent is in a pid namespace above
  if (pid_t parent = ::getppid(); parent != engine && parent != 0) ::_exit(0);
  for (;;) ::pause();
}

}  // namespace

DescriptorVault::DescriptorVault(const std::function<NsPid()>& spare_id) {
  pid_t engine = ::getpid();
  long pid = -1;
  errno = EEXIST;
  for (int attempt = 0; pid < 0 && errno == EEXIST && attempt < 8; attempt++)
    pid = copy_of_this_process(pidfd_, spare_id().value);
  if (pid < 0 && errno == EPERM) pid = copy_of_this_process(pidfd_, 0);  // who may choose no ids
  if (pid == 0) hold(engine);
  if (pid < 0)
    throw_errno(Failure::environment, "engine", "a process that holds descriptors for it cannot be made", errno);
  pid_ = static_cast<int>(pid);
}

DescriptorVault::~DescriptorVault() {
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

UniqueFd DescriptorVault::take(int number) const {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), number, 0)));
  if (!fd)
    throw_errno(Failure::environment, "engine", "a descriptor cannot be taken back from the process that holds it",
                errno, errno == EMFILE ? "raise ulimit -Hn" : "");
  return fd;
}

}  // namespace nsr
