#include "engine/sockets/guard_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "engine/base/error.h"

namespace nsr {
namespace {

/// Everything of the engine's goes, above all its end of the channel, whose death must read as the end. The numbers
/// stay taken: no socket of the tree may come to stand where the log thinks its file is.
void forget_descriptors(int channel, const std::vector<int>& parking) {
  const auto keep = [&](int fd) {
    return fd == channel || std::find(parking.begin(), parking.end(), fd) != parking.end();
  };
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  std::vector<int> numbers;
  DIR* dir = opendir("/proc/self/fd");
  if (null < 0 || dir == nullptr) _exit(1);
  while (const dirent* entry = readdir(dir))
    if (entry->d_name[0] != '.') numbers.push_back(atoi(entry->d_name));
  for (const int fd : numbers)
    if (!keep(fd) && fd != null && fd != dirfd(dir)) dup3(null, fd, O_CLOEXEC);
  closedir(dir);
}

}  // namespace

GuardProcess::GuardProcess(const char* what, const std::vector<int>& parking,
                           const std::function<void(int channel)>& serve) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno(Failure::environment, what, "socketpair", errno);
  channel_ = UniqueFd(ends[0]);
  UniqueFd far(ends[1]);
  clone_args args{};  // no exit signal: whoever waits for tracees does not see this child
  const long child = syscall(SYS_clone3, &args, sizeof args);
  if (child < 0) throw_errno(Failure::environment, what, "making the process", errno);
  if (child == 0) {
    setsid();  // whoever kills the engine's process group does not mean this one
    forget_descriptors(far.get(), parking);
    serve(far.get());
    _exit(0);
  }
  pid_ = static_cast<int>(child);
}

GuardProcess::~GuardProcess() {
  channel_.reset();
  while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace nsr
