#include "engine/base/run_program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

/// A file in memory, for a pipe could fill up.
UniqueFd memory_file(const std::string& content, const std::string& object) {
  UniqueFd fd(memfd_create("nsr-program", MFD_CLOEXEC));
  if (!fd || !write_exact(fd.get(), content.data(), content.size()) || lseek(fd.get(), 0, SEEK_SET) != 0)
    throw_errno(Failure::environment, object, "a file in memory for its input or output cannot be made", errno);
  return fd;
}

std::string content_of(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0 || st.st_size <= 0) return {};
  std::string text(static_cast<size_t>(st.st_size), '\0');
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &pipe);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  void put(int fd, int number) { posix_spawn_file_actions_adddup2(&actions_, fd, number); }
  void close_from(int number) { posix_spawn_file_actions_addclosefrom_np(&actions_, number); }
  int run(const std::vector<std::string>& argv, pid_t& pid) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    return posix_spawnp(&pid, words[0], &actions_, &attributes_, words.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int wait_for(pid_t pid, const std::string& object) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw_errno(Failure::internal, object, "waiting for it", errno);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// What this process becomes in a user namespace, from which there is no way back: a copy of it does. Ids that are not
/// mapped there stay.
bool enter(int user_namespace) {
  if (setns(user_namespace, CLONE_NEWUSER) != 0) return false;
  (void)syscall(SYS_setgroups, 0, nullptr);
  (void)syscall(SYS_setresgid, 0, 0, 0);
  (void)syscall(SYS_setresuid, 0, 0, 0);
  return true;
}

int run_in(int user_namespace, Spawn& spawn, const std::vector<std::string>& argv, const std::string& object) {
  constexpr int kNotEntered = 125, kNotRun = 127;
  pid_t copy = fork();
  if (copy < 0) throw_errno(Failure::environment, object, "a process for it cannot be made", errno);
  if (copy == 0) {
    pid_t pid = 0;
    if (!enter(user_namespace)) _exit(kNotEntered);
    if (spawn.run(argv, pid)) _exit(kNotRun);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kNotRun);
  }
  int status = wait_for(copy, object);
  if (status == kNotEntered)
    throw Error(Failure::environment, object, "it cannot enter the user namespace of the tree");
  return status;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, const ProgramFiles& files) {
  const std::string object = "program " + argv[0];
  // Numbers above those that the program gets, so that none overwrites another on the way.
  constexpr int kAbove = 10;
  const auto raised = [](int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kAbove)); };
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC)), err = raised(memory_file("", object).get());
  const UniqueFd in = raised(files.input < 0 ? null.get() : files.input);
  const UniqueFd out = raised(files.output < 0 ? null.get() : files.output);
  const UniqueFd extra = files.extra < 0 ? UniqueFd() : raised(files.extra);
  Spawn spawn;
  spawn.put(in.get(), STDIN_FILENO);
  spawn.put(out.get(), STDOUT_FILENO);
  spawn.put(err.get(), STDERR_FILENO);
  if (extra) spawn.put(extra.get(), 3);
  spawn.close_from(extra ? 4 : 3);
  if (files.user_namespace >= 0) {
    int status = run_in(files.user_namespace, spawn, argv, object);
    return {status, content_of(err.get())};
  }
  pid_t pid = 0;
  if (const int error = spawn.run(argv, pid))
    throw_errno(Failure::environment, object, "it cannot be run", error, "install it, or put it on PATH");
  int status = wait_for(pid, object);
  return {status, content_of(err.get())};
}

ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, int extra_fd) {
  const UniqueFd in = memory_file(input, "program " + argv[0]);
  ProgramFiles files;
  files.input = in.get();
  files.extra = extra_fd;
  return run_program(argv, files);
}

}  // namespace nsr
