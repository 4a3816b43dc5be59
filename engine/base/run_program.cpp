#include "engine/base/run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, int extra_fd) {
  const std::string object = "program " + argv[0];
  // Numbers above those that the program gets, so that none overwrites another on the way.
  constexpr int kAbove = 10;
  const auto raised = [](int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kAbove)); };
  const UniqueFd in = raised(memory_file(input, object).get()), err = raised(memory_file("", object).get());
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC)), out = raised(null.get());
  const UniqueFd extra = extra_fd < 0 ? UniqueFd() : raised(extra_fd);
  Spawn spawn;
  spawn.put(in.get(), STDIN_FILENO);
  spawn.put(out.get(), STDOUT_FILENO);
  spawn.put(err.get(), STDERR_FILENO);
  if (extra) spawn.put(extra.get(), 3);
  spawn.close_from(extra ? 4 : 3);
  pid_t pid = 0;
  if (const int error = spawn.run(argv, pid))
    throw_errno(Failure::environment, object, "it cannot be run", error, "install it, or put it on PATH");
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw_errno(Failure::internal, object, "waiting for it", errno);
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), content_of(err.get())};
}

}  // namespace nsr
