#include "engine/trace/tracee.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

long request(int what, HostPid tid, uintptr_t addr, uintptr_t data) {
  return ::ptrace(static_cast<__ptrace_request>(what), tid.value, reinterpret_cast<void*>(addr),
                  reinterpret_cast<void*>(data));
}

template <class T>
uintptr_t to_data(T* p) {
  return reinterpret_cast<uintptr_t>(p);
}

constexpr int kGetRseqConfiguration = 0x420f;
constexpr int kPeekSiginfo = 0x4209;

Stop decode(HostPid tid, int status) {
  if (WIFEXITED(status)) return {tid, Stop::Kind::exited, WEXITSTATUS(status), 0};
  if (WIFSIGNALED(status)) return {tid, Stop::Kind::killed, WTERMSIG(status), 0};
  int event = status >> 16, signal = WSTOPSIG(status);
  if (event) return {tid, Stop::Kind::event, signal, event};
  if (signal == (SIGTRAP | 0x80)) return {tid, Stop::Kind::syscall, SIGTRAP, 0};
  return {tid, Stop::Kind::signal, signal, 0};
}

/// One report: by trying, then sleeping until a SIGCHLD says that there is something new.
std::optional<Stop> next_report(int pid, const Deadline& deadline) {
  for (;;) {
    int status = 0;
    // without a limit let the kernel do the waiting
    int r = ::waitpid(pid, &status, __WALL | (deadline.limited() ? WNOHANG : 0));
    if (r > 0) return decode(HostPid(r), status);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return std::nullopt;
    auto left = deadline.left();
    if (left.count() <= 0)
      throw Error(Failure::timeout, pid > 0 ? format("pid %d", pid) : "the tree", "it did not stop within --timeout",
                  "it may sleep in the kernel uninterruptibly (state D); try again or raise --timeout");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    timespec ts{static_cast<time_t>(left.count() / 1000000000), static_cast<long>(left.count() % 1000000000)};
    ::sigtimedwait(&set, nullptr, &ts);
  }
}

bool transfer(bool writing, HostPid pid, RemoteAddr at, void* buf, size_t n) {
  while (n > 0) {
    iovec local{buf, n}, remote{reinterpret_cast<void*>(at.value), n};
    ssize_t k = writing ? ::process_vm_writev(pid.value, &local, 1, &remote, 1, 0)
                        : ::process_vm_readv(pid.value, &local, 1, &remote, 1, 0);
    if (k <= 0) return false;
    buf = static_cast<std::byte*>(buf) + k;
    at.value += static_cast<uint64_t>(k);
    n -= static_cast<size_t>(k);
  }
  return true;
}

[[noreturn]] void memory_failure(HostPid pid, const char* what, RemoteAddr at, size_t n) {
  int err = errno;
  throw_errno(Failure::target, format("pid %d", pid.value),
              format("%s %zu bytes of its memory at %llx failed", what, n, static_cast<unsigned long long>(at.value)),
              err);
}

UniqueFd open_memory(HostPid pid, int flags) {
  std::string path = format("/proc/%d/mem", pid.value);
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) throw_errno(Failure::target, format("pid %d", pid.value), path + " cannot be opened", errno);
  return fd;
}

}  // namespace

std::chrono::nanoseconds Deadline::left() const {
  if (!at_) return std::chrono::nanoseconds::max();
  auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(*at_ - Clock::now());
  return left.count() > 0 ? left : std::chrono::nanoseconds(0);
}

void Waits::block_sigchld() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

Stop Waits::wait(HostPid tid, const Deadline& deadline) {
  auto stop = next_report(tid.value, deadline);
  if (!stop) throw_errno(Failure::target, format("pid %d", tid.value), "it cannot be waited for", errno);
  return *stop;
}

std::optional<Stop> Waits::any(const Deadline& deadline) { return next_report(-1, deadline); }

void Tracee::fail(const char* what, int err) const {
  if (err == ESRCH)
    throw Error(Failure::target, format("pid %d", tid_.value),
                format("it was killed or resumed during the operation (%s)", what),
                "nothing else was changed; start again");
  throw_errno(Failure::target, format("pid %d", tid_.value), what, err);
}

int Tracee::seize(long options) const {
  return request(PTRACE_SEIZE, tid_, 0, static_cast<uintptr_t>(options)) ? errno : 0;
}

void Tracee::interrupt() const {
  if (request(PTRACE_INTERRUPT, tid_, 0, 0)) fail("PTRACE_INTERRUPT", errno);
}

void Tracee::resume(int signal) const {
  if (request(PTRACE_CONT, tid_, 0, static_cast<uintptr_t>(signal))) fail("PTRACE_CONT", errno);
}

void Tracee::resume_to_syscall(int signal) const {
  if (request(PTRACE_SYSCALL, tid_, 0, static_cast<uintptr_t>(signal))) fail("PTRACE_SYSCALL", errno);
}

void Tracee::detach(int signal) const {
  if (request(PTRACE_DETACH, tid_, 0, static_cast<uintptr_t>(signal))) fail("PTRACE_DETACH", errno);
}

arch::Registers Tracee::registers() const {
  arch::Registers r{};
  iovec io{&r, sizeof r};
  if (request(PTRACE_GETREGSET, tid_, NT_PRSTATUS, to_data(&io))) fail("reading registers", errno);
  if (io.iov_len != sizeof r)
    throw Error(Failure::unsupported, format("pid %d", tid_.value), "it runs 32-bit code, which is not supported");
  return r;
}

void Tracee::set_registers(const arch::Registers& r) const {
  iovec io{const_cast<arch::Registers*>(&r), sizeof r};
  if (request(PTRACE_SETREGSET, tid_, NT_PRSTATUS, to_data(&io))) fail("setting registers", errno);
}

uint64_t Tracee::signal_mask() const {
  uint64_t mask = 0;
  if (request(PTRACE_GETSIGMASK, tid_, sizeof mask, to_data(&mask))) fail("reading the signal mask", errno);
  return mask;
}

void Tracee::set_signal_mask(uint64_t mask) const {
  if (request(PTRACE_SETSIGMASK, tid_, sizeof mask, to_data(&mask))) fail("setting the signal mask", errno);
}

std::vector<std::byte> Tracee::xsave() const {
  std::vector<std::byte> area;
  for (size_t size : {arch::usual_xsave_size(), arch::xsave_size()}) {
    area.resize(size);
    iovec io{area.data(), area.size()};
    if (request(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, to_data(&io))) fail("reading extended registers", errno);
    area.resize(io.iov_len);
    if (!arch::is_cut_off(area)) break;
  }
  return area;
}

int Tracee::set_xsave(const std::vector<std::byte>& area) const {
  iovec io{const_cast<std::byte*>(area.data()), area.size()};
  return request(PTRACE_SETREGSET, tid_, NT_X86_XSTATE, to_data(&io)) ? errno : 0;
}

std::string Tracee::io_permissions() const {
  std::string map(65536 / 8, '\xff');
  iovec io{map.data(), map.size()};
  // ENXIO: it has asked for none; EINVAL, EIO: the kernel or the CPU has no such thing
  if (request(PTRACE_GETREGSET, tid_, NT_386_IOPERM, to_data(&io))) return {};
  map.resize(map.find_last_not_of('\xff') + 1);  // npos + 1 is 0
  return map;
}

RseqConfig Tracee::rseq() const {
  RseqConfig c;
  // EINVAL before Linux 5.13: such a kernel cannot tell, and the C library of its time registers none
  if (request(kGetRseqConfiguration, tid_, sizeof c, to_data(&c)) < 0) return {};
  return c;
}

std::vector<siginfo_t> Tracee::pending_signals(bool shared) const {
  struct {
    uint64_t off;
    uint32_t flags;
    int32_t nr;
  } args{0, shared ? 1u : 0u, 64};
  std::vector<siginfo_t> all;
  for (;;) {
    siginfo_t buf[64];
    args.off = all.size();
    long n = request(kPeekSiginfo, tid_, to_data(&args), to_data(buf));
    if (n < 0) fail("reading pending signals", errno);
    all.insert(all.end(), buf, buf + n);
    if (n < args.nr) return all;
  }
}

siginfo_t Tracee::siginfo() const {
  siginfo_t si{};
  if (request(PTRACE_GETSIGINFO, tid_, 0, to_data(&si))) fail("PTRACE_GETSIGINFO", errno);
  return si;
}

unsigned long Tracee::event_message() const {
  unsigned long m = 0;
  if (request(PTRACE_GETEVENTMSG, tid_, 0, to_data(&m))) fail("PTRACE_GETEVENTMSG", errno);
  return m;
}

Stop Tracee::wait_interrupted(const Deadline& deadline) const {
  for (;;) {
    Stop stop = Waits::wait(tid_, deadline);
    switch (stop.kind) {
      case Stop::Kind::event:
        if (stop.event == PTRACE_EVENT_STOP) return stop;
        resume();
        break;
      case Stop::Kind::signal:
        resume(stop.signal);  // delivered; the interrupt is still due and stops the thread at its handler
        break;
      case Stop::Kind::syscall:
        resume();
        break;
      case Stop::Kind::exited:
      case Stop::Kind::killed:
        return stop;
    }
  }
}

void Tracee::step_to_syscall_stop() const {
  resume_to_syscall();
  for (;;) {
    Stop stop = Waits::wait(tid_);
    if (stop.kind == Stop::Kind::syscall) return;
    if (stop.kind == Stop::Kind::exited || stop.kind == Stop::Kind::killed) fail("a syscall in it", ESRCH);
    // A group stop may come in between (SIGSTOP cannot be blocked): the stop stays in effect after the detach.
    resume_to_syscall(stop.kind == Stop::Kind::signal && stop.signal != SIGSTOP ? stop.signal : 0);
  }
}

long Tracee::run_syscall(const arch::Registers& base, RemoteAddr insn, long nr,
                         std::initializer_list<uint64_t> args) const {
  set_registers(arch::at_syscall(base, insn, nr, {args.begin(), args.size()}));
  step_to_syscall_stop();
  step_to_syscall_stop();
  return arch::syscall_result(registers());
}

void Tracee::to_event_stop() const {
  interrupt();
  resume();
  Stop stop = wait_interrupted(Deadline::never());
  if (stop.kind != Stop::Kind::event) fail("stopping it again", ESRCH);
}

UniqueFd open_pidfd(HostPid id) {
  constexpr unsigned kPidfdThread = O_EXCL;
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, id.value, 0)));
  if (!fd) fd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, id.value, kPidfdThread)));
  return fd;
}

bool try_read_memory(HostPid pid, RemoteAddr from, void* to, size_t n) { return transfer(false, pid, from, to, n); }

void read_memory(HostPid pid, RemoteAddr from, void* to, size_t n) {
  if (!transfer(false, pid, from, to, n)) memory_failure(pid, "reading", from, n);
}

bool try_write_memory(HostPid pid, RemoteAddr to, const void* from, size_t n) {
  return transfer(true, pid, to, const_cast<void*>(from), n);
}

void write_memory(HostPid pid, RemoteAddr to, const void* from, size_t n) {
  if (!transfer(true, pid, to, const_cast<void*>(from), n)) memory_failure(pid, "writing", to, n);
}

void force_read(HostPid pid, RemoteAddr from, void* to, size_t n) {
  if (!pread_exact(open_memory(pid, O_RDONLY).get(), to, n, static_cast<off_t>(from.value)))
    memory_failure(pid, "reading", from, n);
}

void force_write(HostPid pid, RemoteAddr to, const void* from, size_t n) {
  if (!pwrite_exact(open_memory(pid, O_RDWR).get(), from, n, static_cast<off_t>(to.value)))
    memory_failure(pid, "writing", to, n);
}

}  // namespace nsr
