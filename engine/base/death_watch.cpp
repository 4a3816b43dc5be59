#include "engine/base/death_watch.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"

namespace nsr {
namespace {

/// Runs in a copy of the engine: nothing but system calls.
[[noreturn]] void watch(int word, const std::function<void()>& last_will) {
  ::setsid();  // what kills the engine's group or comes from its terminal is not for the watch
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  char said;
  if (::read(word, &said, 1) != 1) last_will();
  ::_exit(0);
}

}  // namespace

DeathWatch::DeathWatch(const char* what, const std::function<void()>& last_will) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    throw_errno(Failure::environment, what, "making a socket pair failed", errno);
  UniqueFd word(ends[0]);
  word_ = UniqueFd(ends[1]);
  child_ = ::fork();
  if (child_ < 0) throw_errno(Failure::environment, what, "making a process that guards it failed", errno);
  if (child_ > 0) return;
  word_.reset();
  watch(word.get(), last_will);
}

void DeathWatch::done() {
  const char said = 1;
  // a watch that somebody has killed needs no word
  while (::send(word_.get(), &said, 1, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

DeathWatch::~DeathWatch() {
  word_.reset();
  int status;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace nsr
