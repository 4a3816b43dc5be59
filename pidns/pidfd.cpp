#include "pidns/pidfd.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {

std::optional<Pidfd> Pidfd::open(HostPid pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid.value, 0)));
  if (!fd) return std::nullopt;
  return Pidfd(pid, std::move(fd));
}

bool Pidfd::signal(int number) const { return ::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0) == 0; }

bool Pidfd::same_task() const { return signal(0) || errno == EPERM; }

std::optional<UniqueFd> Pidfd::open_proc() const {
  UniqueFd dir(::open(format("/proc/%d", pid_.value).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // The number can only have changed hands after the process was waited for, and then the handle reports it gone.
  if (!dir || !same_task()) return std::nullopt;
  return dir;
}

}  // namespace nsr
