#include "pidns/in_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"

namespace nsr {
namespace {

bool same_namespace(const UniqueFd& a, const UniqueFd& b) {
  struct stat sa {
  }, sb{};
  return fstat(a.get(), &sa) == 0 && fstat(b.get(), &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

UniqueFd open_directory(const char* path) {
  UniqueFd fd(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::environment, path, "it cannot be opened", errno);
  return fd;
}

}  // namespace

InNamespace::InNamespace(const UniqueFd& target, const char* kind) {
  if (!target) return;
  UniqueFd own = open_namespace("thread-self", kind);
  if (same_namespace(target, own)) return;
  if (setns(target.get(), 0) != 0)
    throw_errno(Failure::environment, std::string(kind) + " namespace", "it cannot be entered", errno);
  own_ = std::move(own);
}

InNamespace::~InNamespace() {
  // Cannot fail: the descriptor was opened by this thread and the privilege was there a moment ago.
  if (own_ && setns(own_.get(), 0) != 0) std::terminate();
}

InMountNamespace::InMountNamespace()
    : own_(open_namespace("self", "mnt")), root_(open_directory("/")), cwd_(open_directory(".")) {}

InMountNamespace::InMountNamespace(const UniqueFd& target) : InMountNamespace() {
  // setns(2): EINVAL while another thread shares root and working directory with this one.
  if (unshare(CLONE_FS) != 0) throw_errno(Failure::environment, "root and working directory", "unshare failed", errno);
  if (setns(target.get(), 0) != 0) throw_errno(Failure::environment, "mount namespace", "it cannot be entered", errno);
}

void InMountNamespace::leave() noexcept {
  if (!own_) return;
  if (setns(own_.get(), 0) || ::fchdir(root_.get()) || ::chroot(".") || ::fchdir(cwd_.get())) std::terminate();
  own_.reset();
}

UniqueFd open_namespace(const std::string& pid, const char* kind) {
  std::string path = "/proc/" + pid + "/ns/" + kind;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::target, path, "it cannot be opened", errno);
  return fd;
}

}  // namespace nsr
