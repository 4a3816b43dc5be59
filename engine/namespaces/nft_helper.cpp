#include "engine/namespaces/nft_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/pass_fd.h"
#include "engine/descriptors/net_namespace.h"
#include "ns-netlock/protocol.h"
#include "pidns/clone3.h"

namespace nsr {
namespace {

constexpr const char* kProgram = "ns-netlock";

/// Beside the program that runs, where it is built and installed.
std::string path_of_program() {
  const std::string self = read_link("/proc/self/exe").value_or("");
  std::string path = self.substr(0, self.rfind('/') + 1) + kProgram;
  return access(path.c_str(), X_OK) == 0 ? path : kProgram;
}

struct Start {
  const char* path;
  char* const* argv;
  int channel, errors;
  int error;  ///< of execvp
};

/// Shares our memory until it execs: nothing but system calls.
int become_program(void* argument) {
  Start& start = *static_cast<Start*>(argument);
  setsid();  // signals to the engine's process group are not for it
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Both lie above the standard numbers, so that none overwrites the other.
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (dup2(start.channel, STDIN_FILENO) == 0 && dup2(null, STDOUT_FILENO) == 1 &&
      dup2(start.errors, STDERR_FILENO) == 2 && close_range(3, ~0U, 0) == 0)
    execvp(start.path, start.argv);
  start.error = errno;
  return 127;
}

/// A descriptor above the standard ones.
UniqueFd raised(const UniqueFd& fd) { return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

NftHelper::NftHelper(const std::function<NsPid()>& spare_id) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno(Failure::environment, "network lock", "socketpair", errno);
  channel_ = UniqueFd(ends[0]);
  const UniqueFd far = raised(UniqueFd(ends[1]));
  errors_ = raised(UniqueFd(memfd_create("ns-netlock", MFD_CLOEXEC)));
  const std::string path = path_of_program(), parent = format("%d", getpid());
  char* const argv[] = {const_cast<char*>(kProgram), const_cast<char*>(parent.c_str()), nullptr};
  Start start{path.c_str(), argv, far.get(), errors_.get(), 0};
  constexpr int kAttempts = 8;
  pid_ = -1, errno = EEXIST;
  for (int attempt = 0; spare_id && pid_ < 0 && errno == EEXIST && attempt < kAttempts; attempt++)
    pid_ = clone3_vfork(spare_id(), become_program, &start);
  // Who may not choose ids takes what comes.
  if (pid_ < 0) pid_ = clone3_vfork({}, become_program, &start);
  start_error_ = pid_ < 0 ? errno : start.error;
}

NftHelper::~NftHelper() {
  channel_.reset();
  while (pid_ > 0 && waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void NftHelper::gone() const {
  constexpr const char* kRemedy =
      "install ns-netlock beside ns-engine, and the package libnftables1; or use --network-lock iptables or skip";
  if (start_error_ != 0)
    throw_errno(Failure::environment, "network lock", "starting ns-netlock", start_error_, kRemedy);
  char text[256];
  const ssize_t n = pread(errors_.get(), text, sizeof text, 0);
  const std::string said = first_line(std::string(text, n > 0 ? static_cast<size_t>(n) : 0));
  throw Error(Failure::environment, "network lock",
              said.empty() ? "ns-netlock was killed" : "ns-netlock ended: " + said, said.empty() ? "" : kRemedy);
}

void NftHelper::check() const {
  pollfd p{channel_.get(), 0, 0};
  if (start_error_ != 0 || poll(&p, 1, 0) != 0) gone();
}

void NftHelper::ask(uint32_t flags, const std::string& commands) {
  if (start_error_ != 0) gone();
  const auto [known, fresh] =
      namespaces_.try_emplace(current_network_namespace(), static_cast<uint32_t>(namespaces_.size()));
  UniqueFd net;
  if (fresh) net = open_namespace("thread-self", "net");
  const NetlockRequest request{known->second, flags, static_cast<uint32_t>(commands.size())};
  const std::string bytes(reinterpret_cast<const char*>(&request), sizeof request);
  if (!send_with_fd(channel_.get(), bytes + commands, net.get())) gone();
}

std::string NftHelper::run(const std::string& commands) {
  ask(0, commands);
  NetlockAnswer answer{};
  if (!read_exact(channel_.get(), &answer, sizeof answer)) gone();
  std::string error(answer.size, '\0');
  if (!read_exact(channel_.get(), error.data(), error.size())) gone();
  return first_line(error);
}

void NftHelper::rehearse(const std::string& commands) { ask(kNetlockRehearsal, commands); }

}  // namespace nsr
