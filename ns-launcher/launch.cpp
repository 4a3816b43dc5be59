#include "ns-launcher/launch.h"

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "ns-launcher/init.h"
#include "pidns/clone3.h"

namespace nsr::launcher {
namespace {

constexpr const char* engine_name = "ns-engine";

struct SocketPair {
  UniqueFd ours, theirs;
};

SocketPair socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno(Failure::environment, "socketpair", "cannot be made", errno);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string find_by_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string left = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  while (!left.empty()) {
    size_t colon = left.find(':');
    std::string directory = left.substr(0, colon);
    left = colon == std::string::npos ? "" : left.substr(colon + 1);
    std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace

std::string find_engine(const std::string& wanted) {
  if (wanted.find('/') != std::string::npos) return wanted;
  if (wanted.empty()) {
    if (auto self = read_link("/proc/self/exe")) {
      std::string beside = self->substr(0, self->rfind('/') + 1) + engine_name;
      if (::access(beside.c_str(), X_OK) == 0) return beside;
    }
  }
  const std::string name = wanted.empty() ? engine_name : wanted;
  std::string found = find_by_path(name);
  if (found.empty())
    throw Error(Failure::environment, name, "is neither beside ns-restore nor found by PATH", "name it with --engine");
  return found;
}

std::vector<std::string> engine_command(const Options& options, const ImageIds& ids, int channel, int terminal) {
  std::vector<std::string> command = {engine_name, "restore"};
  // In front of the caller's words, for those may end in "-- command".
  if (channel >= 0) {
    command.push_back("--launcher-fd");
    command.push_back(std::to_string(channel));
    if (terminal >= 0) {
      command.push_back("--terminal-fd");
      command.push_back(std::to_string(terminal));
    }
    if (ids.root_is_init) command.push_back("--root-is-init");
  }
  command.insert(command.end(), options.engine_arguments.begin(), options.engine_arguments.end());
  return command;
}

Started launch(const Options& options, const ImageIds& ids, const sigset_t& engine_mask) {
  SocketPair status = socket_pair(SOCK_SEQPACKET);
  SocketPair channel = socket_pair(SOCK_STREAM), terminal;
  if (options.shell_job && !options.detached) terminal = socket_pair(SOCK_SEQPACKET);
  const int on = 1;
  if (::setsockopt(status.ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    throw_errno(Failure::environment, "status socket", "SO_PASSCRED", errno);

  InitPlan plan;
  plan.ids = ids;
  plan.propagation = options.propagation;
  plan.detached = options.detached;
  plan.own_pidns = !ids.root_is_init;
  plan.engine = find_engine(options.engine);
  plan.engine_mask = engine_mask;
  plan.status_socket = status.theirs.get();
  plan.engine_channel = channel.ours.get();
  plan.engine_descriptor = channel.theirs.get();
  plan.engine_terminal = terminal.theirs.get();
  std::vector<std::string> command = engine_command(options, ids, plan.engine_descriptor, plan.engine_terminal);
  for (std::string& word : command) plan.argv.push_back(word.data());
  plan.argv.push_back(nullptr);

  int32_t init = clone3_fork(CLONE_NEWNS | (plan.own_pidns ? CLONE_NEWPID : 0));
  if (init < 0)
    throw_errno(Failure::environment, "pid and mount namespace", "cannot be created", errno,
                errno == EPERM ? "run as root" : "see /proc/sys/user/max_pid_namespaces and max_mnt_namespaces");
  if (init == 0) {
    status.ours.reset();
    terminal.ours.reset();
    run_init(plan);
  }
  return {init, give_up_signal(plan), std::move(status.ours), std::move(channel.ours), std::move(terminal.ours)};
}

}  // namespace nsr::launcher
