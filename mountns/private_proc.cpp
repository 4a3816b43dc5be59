#include "mountns/private_proc.h"

#include <sys/mount.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {

void set_propagation(Propagation propagation) {
  unsigned long kind = propagation == Propagation::slave ? MS_SLAVE : MS_PRIVATE;
  if (::mount(nullptr, "/", nullptr, MS_REC | kind, nullptr) != 0)
    throw_errno(Failure::environment, "mount namespace", "its propagation cannot be set", errno);
}

void mount_private_proc() {
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    throw_errno(Failure::environment, "/proc", "a private one cannot be mounted", errno,
                "is the caller allowed to mount, and is there a directory /proc?");
}

}  // namespace nsr
