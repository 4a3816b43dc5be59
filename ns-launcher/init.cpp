#include "ns-launcher/init.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"
#include "ns-launcher/report.h"
#include "pidns/clone3.h"
#include "pidns/engine_pid.h"

namespace nsr::launcher {
namespace {

constexpr const char* last_pid_file = "/proc/sys/kernel/ns_last_pid";

/// What the caller gave us (standard descriptors, a terminal, pipes whose readers wait for the end) must not stay open
/// here.
void close_all_but(int one, int other) {
  auto low = static_cast<unsigned>(std::min(one, other)), high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) ::close_range(0, low - 1, 0);
  if (high - low > 1) ::close_range(low + 1, high - 1, 0);
  ::close_range(high + 1, ~0u, 0);
}

class Init {
 public:
  explicit Init(const InitPlan& plan) : plan_(plan) {}

  void set_up() {
    die_with_launcher();
    set_propagation(plan_.propagation);
    if (plan_.own_pidns) mount_private_proc();
    listen_to_engine();
    start_engine(plan_.own_pidns ? reserve_engine_pid() : NsPid());
    step_aside();
  }

  [[noreturn]] void serve();
  [[noreturn]] void leave(Event event, int32_t value);

 private:
  void die_with_launcher();
  NsPid reserve_engine_pid();
  void listen_to_engine();
  void start_engine(NsPid pid);
  void step_aside();

  void forward(const siginfo_t& info);
  void signal_root(int signal);
  void signal_tree(int signal);
  void stop_tree();
  void kill_children();

  void read_root_pid();
  void reap();
  bool reap_engine();
  void engine_ended(int status);
  void report_stop(int signal);
  void root_changed(int status);
  void tree_without_root(bool others);

  const InitPlan& plan_;
  pid_t engine_ = 0;       ///< 0: has ended
  pid_t root_ = 0;         ///< 0: not known yet
  int engine_signal_ = 0;  ///< last one handed to the engine, which ended well all the same
  bool root_stopped_ = false;
  bool root_ended_ = false;
  int root_status_ = 0;
  bool told_ = false;  ///< the launcher knows of the root's end, or has gone on its way
};

/// Nothing may outlive a launcher that was killed before it could hand the tree over.
void Init::die_with_launcher() {
  if (::prctl(PR_SET_PDEATHSIG, give_up_signal(plan_)) != 0)
    throw_errno(Failure::environment, "init", "PR_SET_PDEATHSIG", errno);
  // It may have died before that; then the other end of the socket is closed.
  char byte;
  if (::recv(plan_.status_socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) ::_exit(1);
}

/// A pid for the engine, and the ids behind it for its threads and helpers: the kernel's search for the next free id
/// starts there, so nothing the engine does can take an id that the images need.
NsPid Init::reserve_engine_pid() {
  auto text = read_file("/proc/sys/kernel/pid_max");
  auto pid_max = text ? Scanner(*text).number() : std::nullopt;
  if (!pid_max || *pid_max > INT32_MAX)
    throw_errno(Failure::environment, "/proc/sys/kernel/pid_max", "unreadable", errno);
  auto pid = choose_engine_pid(plan_.ids, static_cast<int32_t>(*pid_max));
  if (!pid)
    throw Error(Failure::environment, "pid namespace", "the images use every process id there is",
                "raise /proc/sys/kernel/pid_max");
  if (!write_file(last_pid_file, format("%d", pid->value)))
    throw_errno(Failure::environment, last_pid_file, "cannot be written", errno,
                "does the kernel have CONFIG_CHECKPOINT_RESTORE?");
  return *pid;
}

/// The engine's word comes as SIGIO, so that one sigwaitinfo() waits for everything.
void Init::listen_to_engine() {
  if (::fcntl(plan_.engine_channel, F_SETOWN, ::getpid()) != 0 ||
      ::fcntl(plan_.engine_channel, F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
    throw_errno(Failure::internal, "engine's channel", "F_SETFL O_ASYNC", errno);
}

struct ExecRequest {
  const InitPlan* plan;
  int error;
};

/// Runs in our memory (CLONE_VM) while we wait: system calls only.
int exec_engine(void* arg) {
  auto* request = static_cast<ExecRequest*>(arg);
  const InitPlan& plan = *request->plan;
  ::sigprocmask(SIG_SETMASK, &plan.engine_mask, nullptr);
  ::fcntl(plan.engine_descriptor, F_SETFD, 0);
  if (plan.engine_terminal >= 0) ::fcntl(plan.engine_terminal, F_SETFD, 0);
  ::execve(plan.engine.c_str(), plan.argv.data(), environ);
  request->error = errno;
  return 127;
}

void Init::start_engine(NsPid pid) {
  ExecRequest request{&plan_, 0};
  int32_t child = clone3_vfork(pid, exec_engine, &request);
  if (child < 0) throw_errno(Failure::environment, "ns-engine", "its process cannot be created", errno);
  if (request.error != 0)
    throw_errno(Failure::environment, plan_.engine, "cannot be executed", request.error,
                "name the engine with --engine");
  engine_ = child;
}

/// The engine stays in the launcher's process group, so that it may write to the terminal and hears Ctrl-C. We leave
/// it: what the terminal sends to the group shall reach us only through the launcher. Detached we leave the session,
/// too. Undetached we stay in the session: the root's group then has a parent in another group of its session, so it is
/// not orphaned and the terminal's stop signals work in it.
void Init::step_aside() {
  if (plan_.detached) {
    ::setsid();
  } else {
    ::setpgid(0, 0);
  }
  if (::chdir("/") != 0) throw_errno(Failure::environment, "/", "chdir", errno);
  ::prctl(PR_SET_NAME, "ns-restore-init");
  close_all_but(plan_.status_socket, plan_.engine_channel);
}

void Init::serve() {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int signal = ::sigwaitinfo(&all, &info);
    if (signal == SIGCHLD) {
      reap();
    } else if (signal == SIGIO) {
      read_root_pid();
    } else if (signal == give_up_signal(plan_)) {
      leave(Event::ended, 0);
    } else if (signal > 0) {
      forward(info);
    }
  }
}

/// Ends the namespace: the kernel kills all that is in it before our own end can be seen.
void Init::leave(Event event, int32_t value) {
  if (!plan_.own_pidns) kill_children();
  // The launcher may be gone; there is nobody else to tell.
  (void)send_report(plan_.status_socket, Report{event, value});
  ::_exit(1);
}

/// Without a pid namespace of our own, children do not die with us.
void Init::kill_children() {
  auto text = read_file("/proc/thread-self/children");
  if (!text) return;
  Scanner in(*text);
  while (auto child = in.blanks().number()) ::kill(static_cast<pid_t>(*child), SIGKILL);
  while (::waitpid(-1, nullptr, __WALL) > 0) {
  }
}

/// Only who stands outside may steer the tree: processes inside appear with their pid, those outside with 0.
void Init::forward(const siginfo_t& info) {
  if (info.si_code == SI_KERNEL || (plan_.own_pidns && info.si_pid != 0)) return;
  switch (info.si_signo) {
    case SIGTSTP:
      // A stop that comes from the terminal is dropped where the group is orphaned; this one is not.
      return engine_ ? signal_root(SIGTSTP) : stop_tree();
    case SIGCONT:
      return engine_ ? signal_root(SIGCONT) : signal_tree(SIGCONT);
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
    case SIGQUIT:
    case SIGUSR1:
    case SIGUSR2:
    case SIGWINCH:
      return signal_root(info.si_signo);
    default:
      return;
  }
}

/// The root's process group, or the root alone where its group reaches out of the namespace. While the tree is being
/// built, the engine.
void Init::signal_root(int signal) {
  if (engine_ != 0) {
    ::kill(engine_, signal);
    if (signal != SIGTSTP && signal != SIGCONT) engine_signal_ = signal;
  } else if (root_ != 0 && !root_ended_) {
    pid_t group = ::getpgid(root_);
    if (group <= 0 || ::kill(-group, signal) != 0) ::kill(root_, signal);
  }
}

void Init::stop_tree() {
  signal_tree(SIGSTOP);
  // A root that was stopped before makes no new report of it, but the launcher waits for one.
  if (root_stopped_) report_stop(SIGSTOP);
}

void Init::signal_tree(int signal) {
  if (plan_.own_pidns) {
    ::kill(-1, signal);
  } else {
    signal_root(signal);
  }
}

/// The tree stands but does not run yet: the launcher gets the terminal and the pid files ready, then answers the
/// engine.
void Init::read_root_pid() {
  int32_t pid;
  if (root_ != 0 || ::recv(plan_.engine_channel, &pid, sizeof pid, MSG_DONTWAIT) != sizeof pid) return;
  // The tree's own children shall get ids as they did before, not those from the engine's high range.
  if (plan_.own_pidns) (void)write_file(last_pid_file, format("%d", plan_.ids.highest()));
  if (!send_report(plan_.status_socket, Report{Event::root_created, pid}, pid)) leave(Event::engine_failed, 0);
  root_ = pid;
}

/// As long as the engine works, only it is waited for: the root must not vanish before we know which one it is.
void Init::reap() {
  if (engine_ != 0 && !reap_engine()) return;
  for (;;) {
    int status;
    pid_t pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED | __WALL);
    if (pid > 0) {
      if (pid == root_) root_changed(status);
    } else if (pid == 0 || errno == ECHILD) {
      return tree_without_root(pid == 0);
    }
  }
}

/// True when it has ended.
bool Init::reap_engine() {
  int status;
  while (::waitpid(engine_, &status, WNOHANG | WUNTRACED | __WALL) > 0) {
    if (WIFSTOPPED(status)) {
      report_stop(WSTOPSIG(status));
      continue;
    }
    engine_ended(status);
    return true;
  }
  return false;
}

void Init::engine_ended(int status) {
  read_root_pid();
  if (status != 0 || root_ == 0) leave(Event::engine_failed, status);
  engine_ = 0;
  ::close(plan_.engine_channel);
  if (plan_.detached) ::prctl(PR_SET_PDEATHSIG, 0);
  // A launcher that died before it could learn this has told nobody that the tree runs.
  if (!send_report(plan_.status_socket, Report{Event::restored, 0})) leave(Event::ended, 0);
  // It came when the engine was on its way out, having released the tree: it was meant for the tree.
  if (engine_signal_ != 0) signal_root(engine_signal_);
  if (!plan_.detached) return;
  told_ = true;
  if (!plan_.own_pidns) ::_exit(0);  // the tree has an init of its own
  ::close_range(0, ~0u, 0);
}

/// Not worth waiting for a launcher that does not listen.
void Init::report_stop(int signal) {
  if (!told_) (void)send_report(plan_.status_socket, Report{Event::stopped, signal}, 0, false);
}

void Init::root_changed(int status) {
  if (WIFSTOPPED(status)) {
    root_stopped_ = true;
    report_stop(WSTOPSIG(status));
  } else if (WIFCONTINUED(status)) {
    root_stopped_ = false;
  } else {
    root_ended_ = true;
    root_status_ = status;
  }
}

/// Called when there is nothing more to reap for now. others: something of the tree lives.
void Init::tree_without_root(bool others) {
  if (root_ended_ && !told_) {
    told_ = true;
    // The launcher ends now with the root's status; what lives on is no longer its own.
    if (others) ::prctl(PR_SET_PDEATHSIG, 0);
    (void)send_report(plan_.status_socket, Report{others ? Event::ended_alone : Event::ended, root_status_});
    ::close_range(0, ~0u, 0);
  }
  if (!others) ::_exit(0);
}

}  // namespace

void run_init(const InitPlan& plan) {
  Init init(plan);
  try {
    init.set_up();
  } catch (const Error& error) {
    ::dprintf(STDERR_FILENO, "ns-restore: %s\n", error.what());
    init.leave(Event::setup_failed, error.exit_code());
  }
  init.serve();
}

}  // namespace nsr::launcher
