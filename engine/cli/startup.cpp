#include "engine/cli/startup.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/unique_fd.h"
#include "engine/cli/usage_error.h"

namespace nsr {
namespace {

bool has_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return data[capability / 32].effective & (1u << (capability % 32));
}

std::string absolute(const std::string& path, const char* what, const char* option) {
  UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir)
    throw_errno(Failure::io, std::string(what) + " " + path, "cannot be opened", errno,
                std::string("name an existing directory with ") + option);
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) throw_errno(Failure::io, std::string(what) + " " + path, "has no absolute path", errno);
  return real.get();
}

void check_inherited(const FileOptions& files) {
  for (const auto& [key, fd] : files.inherit_fd)
    if (::fcntl(fd, F_GETFD) < 0)
      throw UsageError("option --inherit-fd " + key, "descriptor " + std::to_string(fd) + " is not open", {}, false);
}

}  // namespace

void check_privilege(const Options& options) {
  if (options.command == Command::restore && options.restore.plan) return;  // a plan touches nothing
  if (!has_capability(CAP_SYS_ADMIN) && !has_capability(CAP_CHECKPOINT_RESTORE))
    throw Error(Failure::environment, "ns-engine", "has neither CAP_SYS_ADMIN nor CAP_CHECKPOINT_RESTORE",
                "run it as root");
  if (::geteuid() != 0 && !options.run.unprivileged)
    throw Error(Failure::environment, "ns-engine", "is not run by root", "run it as root, or add --unprivileged");
}

void prepare_directories(Options& options) {
  for (int fd : options.common.close) ::close(fd);
  check_inherited(options.files);
  if (options.command != Command::service)
    options.run.images_dir = absolute(options.run.images_dir, "images directory", "-D");
  // the current directory changes below
  if (std::string& props = options.run.cgroups.props_file; !props.empty())
    props = std::filesystem::absolute(props).string();
  if (options.run.work_dir.empty()) options.run.work_dir = options.run.images_dir;
  options.run.work_dir = absolute(options.run.work_dir, "work directory", "-W");
  if (::chdir(options.run.work_dir.c_str()) != 0)
    throw_errno(Failure::io, "work directory " + options.run.work_dir, "cannot be entered", errno);
  open_log(options.common.log_file, static_cast<LogLevel>(options.common.verbosity));
}

}  // namespace nsr
