#include "engine/base/action_scripts.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

const Logger log("scripts");

std::vector<std::string> environment_for(const std::string& action, const ScriptContext& context) {
  std::vector<std::string> list;
  for (char** entry = environ; *entry; ++entry)
    if (std::strncmp(*entry, "CRTOOLS_", 8) != 0) list.emplace_back(*entry);
  list.push_back("CRTOOLS_SCRIPT_ACTION=" + action);
  if (context.images_dir_fd >= 0)
    list.push_back(format("CRTOOLS_IMAGE_DIR=/proc/%d/fd/%d", ::getpid(), context.images_dir_fd));
  if (context.root_pid > 0) list.push_back(format("CRTOOLS_INIT_PID=%d", context.root_pid));
  return list;
}

/// posix_spawn(3) attributes and descriptors of a hook program; signals as a fresh program expects them.
class SpawnPlan {
 public:
  explicit SpawnPlan(int log_fd) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_adddup2(&actions_, log_fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, log_fd, STDERR_FILENO);
    ::posix_spawn_file_actions_addclose(&actions_, STDIN_FILENO);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigaddset(&signals, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int spawn(pid_t& pid, const std::string& program, std::vector<std::string>& environment) {
    std::string name = program;
    char* arguments[] = {name.data(), nullptr};
    std::vector<char*> pointers;
    for (std::string& entry : environment) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    return ::posix_spawnp(&pid, program.c_str(), &actions_, &attributes_, arguments, pointers.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// Empty when it went well, else what happened.
std::string run_one(const std::string& program, std::vector<std::string>& environment, int log_fd) {
  pid_t pid = 0;
  if (int err = SpawnPlan(log_fd).spawn(pid, program, environment))
    return std::string("cannot be run: ") + std::strerror(err);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return std::string("cannot be waited for: ") + std::strerror(errno);
  if (WIFSIGNALED(status)) return format("died of signal %d", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? std::string() : format("ended with status %d", WEXITSTATUS(status));
}

}  // namespace

void run_scripts(const std::string& action, const std::vector<std::string>& programs, const ScriptContext& context) {
  if (programs.empty()) return;
  std::vector<std::string> environment = environment_for(action, context);
  int output = context.log_fd >= 0 ? context.log_fd : log_descriptor();
  std::string failed, how;
  for (auto program = programs.rbegin(); program != programs.rend(); ++program) {
    log.info("%s: running %s", action.c_str(), program->c_str());
    std::string outcome = run_one(*program, environment, output);
    if (outcome.empty()) continue;
    log.warn("%s: %s %s", action.c_str(), program->c_str(), outcome.c_str());
    if (failed.empty()) {
      failed = *program;
      how = outcome;
    }
  }
  if (!failed.empty()) throw Error(Failure::script, "action script " + failed + " (" + action + ")", how);
}

void write_pidfile(const std::string& path, pid_t pid) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file)
    throw_errno(Failure::io, "pidfile " + path, "cannot be created", errno,
                errno == EEXIST ? "remove the old one first" : "");
  std::string digits = std::to_string(pid);
  if (!write_exact(file.get(), digits.data(), digits.size()))
    throw_errno(Failure::io, "pidfile " + path, "cannot be written", errno);
}

}  // namespace nsr
