#include "engine/trace/borrowed_task.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/procfs/auxv.h"
#include "engine/procfs/maps.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

const Logger log("borrow");
constexpr size_t kPage = 4096;
constexpr size_t kStubRoom = 256;

size_t pages(size_t n) { return (n + kPage - 1) & ~(kPage - 1); }

std::string object_of(const FrozenTask& t) { return format("pid %d", t.pid.value); }

/// Stands at the end of a cave in use. An engine that was killed leaves it behind with its code; the next dump knows by
/// it that these bytes are free again.
struct CaveMark {
  uint64_t magic = 0x776f72726f62726eull;
  uint64_t size = 0;  ///< bytes from the start of the code to the end of the page
};

/// Length of the run of zero bytes at the end of a page's content.
size_t zero_tail(const std::vector<std::byte>& page) {
  size_t n = 0;
  while (n < page.size() && page[page.size() - 1 - n] == std::byte{0}) n++;
  return n;
}

}  // namespace

namespace {

/// A limit of a task that is as high as it must be for one system call, as long as this lives. Where that is not
/// allowed the call fails.
class RaisedLimit {
 public:
  /// in_use, more: in units of the limit.
  RaisedLimit(HostPid pid, __rlimit_resource which, rlim_t in_use, rlim_t more) : pid_(pid), which_(which) {
    if (::prlimit(pid.value, which, nullptr, &own_) != 0 || in_use + more <= own_.rlim_cur) return;
    const rlimit enough{in_use + more, std::max(in_use + more, own_.rlim_max)};
    raised_ = ::prlimit(pid.value, which, &enough, nullptr) == 0;
  }
  ~RaisedLimit() {
    if (raised_ && ::prlimit(pid_.value, which_, &own_, nullptr) != 0)
      log.error("pid %d: its limit %d stays raised: %m", pid_.value, static_cast<int>(which_));
  }
  RaisedLimit(const RaisedLimit&) = delete;

 private:
  HostPid pid_;
  __rlimit_resource which_;
  rlimit own_{};
  bool raised_ = false;
};

rlim_t open_files(HostPid pid) {
  struct stat table {};
  if (::stat(format("/proc/%d/fd", pid.value).c_str(), &table) != 0) return 0;
  if (table.st_size > 0) return static_cast<rlim_t>(table.st_size);
  return procfs::ProcDir(pid).numbers("fd").size();  // before 6.2
}

rlim_t mapped_bytes(HostPid pid) {
  auto text = read_file(format("/proc/%d/statm", pid.value).c_str());
  return std::strtoull(text.value_or("0").c_str(), nullptr, 10) * kPage;
}

}  // namespace

BorrowedTask::BorrowedTask(FrozenTask& task, size_t data_size) : task_(task), parked_(task.threads.size()) {
  bootstrap(data_size);
}

BorrowedTask::~BorrowedTask() {
  try {
    if (!given_back_) give_back();
  } catch (const Error& e) {
    log.warn("pid %d: giving it back failed, its threads restore themselves: %s", task_.pid.value, e.what());
  }
  if (local_) ::munmap(local_, area_size_);
}

RemoteAddr BorrowedTask::find_cave(size_t size) {
  procfs::ProcDir dir(task_.handle());
  std::vector<std::byte> page(kPage);
  auto fits = [&](uint64_t last_page) -> std::optional<RemoteAddr> {
    if (!try_read_memory(task_.handle(), RemoteAddr(last_page), page.data(), kPage)) return std::nullopt;
    size_t stale = stale_code(page, last_page);
    std::fill(page.end() - static_cast<long>(stale), page.end(), std::byte{0});
    size_t need = ((size + 15) & ~size_t{15}) + sizeof(CaveMark);
    if (zero_tail(page) < need + 16) return std::nullopt;
    cave_before_.assign(std::max(need, stale), std::byte{0});
    return RemoteAddr(last_page + kPage - need);
  };
  auto maps = procfs::parse_maps(dir.read("maps"));
  mappings_ = maps.size();
  // the vDSO first: its page may be written by design, and no program has data behind its code
  for (const auto& m : maps)
    if (procfs::naming(m) == procfs::VmaNaming::vdso)
      if (auto at = fits(m.end - kPage)) return *at;
  for (const auto& m : maps)
    if ((m.prot & PROT_EXEC) && !m.shared && procfs::naming(m) == procfs::VmaNaming::path)
      if (auto at = fits(m.end - kPage)) return *at;
  throw Error(Failure::unsupported, object_of(task_),
              "there is no unused code space in it to borrow (no vDSO, no padding)");
}

size_t BorrowedTask::stale_code(const std::vector<std::byte>& page, uint64_t at) const {
  CaveMark mark;
  const uint64_t magic = mark.magic;
  std::memcpy(&mark, page.data() + kPage - sizeof mark, sizeof mark);
  if (mark.magic != magic || mark.size > kPage) return 0;
  for (const FrozenThread& th : task_.threads)
    if (uint64_t ip = arch::ip(th.regs).value; ip >= at + kPage - mark.size && ip < at + kPage)
      throw Error(Failure::target, object_of(task_), "it is still recovering from a dump that was killed", "try again");
  return mark.size;
}

void BorrowedTask::write_cave() {
  CaveMark mark;
  uint64_t page_end = (cave_.value + kPage) & ~(kPage - 1);
  mark.size = page_end - cave_.value;
  std::vector<std::byte> content(borrow_.code);
  content.resize(mark.size);
  std::memcpy(content.data() + content.size() - sizeof mark, &mark, sizeof mark);
  force_write(task_.handle(), cave_, content.data(), content.size());
}

void BorrowedTask::clean_cave() {
  uint64_t page_end = (cave_.value + kPage) & ~(kPage - 1);
  force_write(task_.handle(), RemoteAddr(page_end - cave_before_.size()), cave_before_.data(), cave_before_.size());
}

void BorrowedTask::bootstrap(size_t data_size) {
  FrozenThread& th = task_.threads.front();
  Tracee tracee(th.tid);
  code_size_ = pages(kStubRoom + task_.threads.size() * arch::kThreadCodeSize);
  area_size_ = code_size_ + pages(data_size + task_.threads.size() * 64 + 256);
  arch::ThreadState self{th.regs, th.signal_mask};
  size_t size = arch::borrow_code(RemoteAddr(0), self, area_size_, code_size_).code.size();
  cave_ = find_cave(size);
  borrow_ = arch::borrow_code(cave_, self, area_size_, code_size_);
  pidfd_ = open_pidfd(task_.handle());
  if (!pidfd_)
    throw_errno(Failure::target, object_of(task_), "pidfd_open failed", errno,
                task_.dead_leader ? "its leading thread has exited: Linux 6.9 or newer is needed for that" : "");

  write_cave();
  // From here on, whenever the engine dies, the thread runs this code to its end and is itself again. Registers first,
  // then the mask: with full mask and own registers it would stay deaf.
  tracee.set_registers(arch::at_code(th.regs, RemoteAddr(cave_.value + 16)));
  th.diverted = true;
  tracee.set_signal_mask(~0ull);
  for (int call = 0; call < arch::kBorrowCalls; call++) {
    std::optional<RaisedLimit> room;
    if (call == 1) room.emplace(task_.handle(), RLIMIT_AS, mapped_bytes(task_.handle()), area_size_);
    if (call == 3) room.emplace(task_.handle(), RLIMIT_NOFILE, open_files(task_.handle()), 2);
    tracee.step_to_syscall_stop();
    tracee.step_to_syscall_stop();
    long result = arch::syscall_result(tracee.registers());
    if (call == 1 && result < 0) {
      tracee.to_event_stop();
      throw_errno(Failure::target, object_of(task_), format("mapping %zu bytes into it failed", area_size_),
                  static_cast<int>(-result), "raise its RLIMIT_AS or memory limit");
    }
    if (call == 1) area_ = RemoteAddr(static_cast<uint64_t>(result));
    if (call == 3) take_socket(tracee, result);
  }
  map_area();
}

void BorrowedTask::take_socket(const Tracee& tracee, long result) {
  if (result == -EMFILE) return go_without_socket(tracee);
  if (result < 0) {
    tracee.step_to_syscall_stop();  // its own code unmaps the area again
    tracee.step_to_syscall_stop();
    area_ = RemoteAddr(0);
    tracee.to_event_stop();
    throw_errno(Failure::target, object_of(task_), "making a socketpair in it failed", static_cast<int>(-result),
                "it may be at its RLIMIT_NOFILE: raise that by prlimit(1)");
  }
  int ends[2];
  read_memory(task_.handle(), RemoteAddr(area_.value + code_size_), ends, sizeof ends);
  remote_socket_ = ends[0];
  socket_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), ends[1], 0)));
  if (!socket_) throw_errno(Failure::target, object_of(task_), "pidfd_getfd failed", errno);
  make_room_for_bells(ends[0]);
}

/// The numbers first: the borrowing code, told that it had a socketpair, closes what the area says.
void BorrowedTask::go_without_socket(const Tracee& tracee) {
  const int none[2] = {-1, -1};
  write_memory(task_.handle(), RemoteAddr(area_.value + code_size_), none, sizeof none);
  tracee.set_registers(arch::with_result(tracee.registers(), 0));
  log.info("pid %d: its descriptor table is full: it is followed step by step", task_.pid.value);
}

/// Threads that find the socket full would wait and be woken all together for each place that becomes free.
void BorrowedTask::make_room_for_bells(int end) {
  constexpr size_t kFit = 128;    // into the default buffer
  constexpr int kMessage = 1024;  // what the kernel counts for one, at least
  if (task_.threads.size() <= kFit) return;
  UniqueFd theirs(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), end, 0)));
  int room = static_cast<int>(task_.threads.size()) * kMessage;
  if (theirs) (void)::setsockopt(theirs.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
}

void BorrowedTask::map_area() {
  std::string path =
      format("/proc/%d/map_files/%llx-%llx", task_.handle().value, static_cast<unsigned long long>(area_.value),
             static_cast<unsigned long long>(area_.value + code_size_));
  UniqueFd object(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!object)
    throw_errno(Failure::environment, object_of(task_), path + " cannot be opened", errno,
                "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in the initial user namespace is needed");
  void* local = ::mmap(nullptr, area_size_, PROT_READ | PROT_WRITE, MAP_SHARED, object.get(), 0);
  if (local == MAP_FAILED) throw_errno(Failure::environment, object_of(task_), "mapping the shared area failed", errno);
  local_ = static_cast<std::byte*>(local);
  // by thousands, one page fault after the other costs more; kernels before 5.14 cannot
  if (task_.threads.size() > 64) (void)::madvise(local_, area_size_, MADV_POPULATE_WRITE);
  auto stub = arch::stub();
  std::memcpy(local_, stub.data(), stub.size());
  arena_ = Arena(local_ + code_size_, RemoteAddr(area_.value + code_size_), area_size_ - code_size_);
  arena_.alloc(64);  // the socket numbers stay: the undoing code reads them
  const int numbers[2] = {remote_socket_, -1};
  std::memcpy(arena_.local<int>(RemoteAddr(area_.value + code_size_)), numbers, sizeof numbers);
  counter_ = arena_.alloc(8, 64);
  rung_ = arena_.alloc(8, 64);
  flags_ = arena_.alloc(task_.threads.size() * 8);
}

RemoteAddr BorrowedTask::code_of(size_t thread) const {
  return RemoteAddr(area_.value + kStubRoom + thread * arch::kThreadCodeSize);
}

std::vector<RemoteAddr> BorrowedTask::prepare(std::vector<Program>& programs) {
  RemoteAddr bell = arena_.alloc(8), reply = arena_.alloc(8);
  std::vector<RemoteAddr> stored(programs.size());
  own_code_.resize(programs.size());
  for (size_t i = 0; i < programs.size(); i++) {
    if (programs[i].empty()) continue;
    // the count first: who hears a bell finds all that it rings for
    programs[i].allow(SYS_futex, rung_, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, rung_,
                      FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_LT, 0));
    programs[i].allow(SYS_write, remote_socket_, bell, 1);
    programs[i].allow(SYS_read, remote_socket_, reply, 8);
    RemoteAddr at = code_of(i);
    FrozenThread& th = task_.threads[i];
    RemoteAddr flags(flags_.value + 8 * i);
    *arena_.local<uint64_t>(flags) = th.regs.eflags;
    arch::ThreadState self{th.regs, th.signal_mask};
    stored[i] = programs[i].store_leaving(arena_);
    auto code = arch::thread_code(at, self, area_, stored[i], counter_, remote_socket_, flags);
    own_code_[i] = RemoteAddr(at.value + code.own_offset);
    programs[i].leave_at(arena_, stored[i], RemoteAddr(at.value + code.leave_offset));
    std::memcpy(local_ + (at.value - area_.value), code.code.data(), code.code.size());
  }
  return stored;
}

void BorrowedTask::launch(size_t thread) {
  FrozenThread& th = task_.threads[thread];
  Tracee tracee(th.tid);
  std::atomic_ref<int32_t>(*arena_.local<int32_t>(counter_)).fetch_add(1);
  tracee.set_registers(arch::at_code(th.regs, code_of(thread)));
  th.diverted = true;
  tracee.set_signal_mask(~0ull);
  if (socket_) {
    tracee.resume();
    parked_[thread] = true;
    return;
  }
  // to the read() that ends its program
  do tracee.step_to_syscall_stop();
  while (!arch::enters_call(tracee.registers(), SYS_read, static_cast<uint64_t>(int64_t{remote_socket_})));
  tracee.to_event_stop();
}

void BorrowedTask::run_programs(std::vector<Program>& programs) {
  stop_all();
  const std::vector<RemoteAddr> stored = prepare(programs);
  *arena_.local<uint32_t>(rung_) = 0;
  size_t running = 0;
  for (size_t i = 0; i < programs.size(); i++) {
    if (programs[i].empty()) continue;
    launch(i);
    running++;
  }
  if (socket_) wait_for_bells(running);
  for (size_t i = 0; i < programs.size(); i++) {
    if (programs[i].empty()) continue;
    const Record* results = arena_.local<Record>(stored[i]);
    for (size_t k = 0; k < programs[i].size(); k++) programs[i].at(k).result = results[k].result;
  }
}

void BorrowedTask::run(std::vector<Program>& programs) {
  run_programs(programs);
  stop_all();
  leave_cave();
}

void BorrowedTask::run_and_park(std::vector<Program>& programs) {
  run_programs(programs);
  stop_parked(1);
  leave_cave();
}

void BorrowedTask::stop_parked(size_t end) {
  std::vector<Tracee> stopping;
  for (size_t i = 0; i < end; i++) {
    if (!parked_[i]) continue;
    stopping.emplace_back(task_.threads[i].tid).interrupt();
    parked_[i] = false;
  }
  for (const Tracee& tracee : stopping)
    if (tracee.wait_interrupted(Deadline::never()).kind != Stop::Kind::event)
      throw Error(Failure::target, object_of(task_), "it was killed during the dump", "nothing else was changed");
}

void BorrowedTask::stop_all() {
  stop_parked(parked_.size());
  // Only now: for each bell that goes the kernel walks the list of all threads that wait there.
  char bells[8];
  while (::recv(socket_.get(), bells, sizeof bells, MSG_DONTWAIT) > 0) {
  }
}

/// All threads wait in the area, whose own code takes them home: the borrowed bytes are not needed until give_back(),
/// and the image of that page must not hold them.
void BorrowedTask::leave_cave() {
  if (!cave_clean_) clean_cave();
  cave_clean_ = true;
}

void BorrowedTask::wait_for_bells(size_t running) {
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  UniqueFd stops(::signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd events(::epoll_create1(EPOLL_CLOEXEC));
  for (auto [fd, mode] : {std::pair(socket_.get(), EPOLLET), {pidfd_.get(), EPOLL_EVENTS{}}, {stops.get(), {}}}) {
    epoll_event event{EPOLLIN | static_cast<uint32_t>(mode), {.fd = fd}};
    if (!events || ::epoll_ctl(events.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw_errno(Failure::environment, object_of(task_), "waiting for its threads failed", errno);
  }
  std::atomic_ref<uint32_t> rung(*arena_.local<uint32_t>(rung_));
  while (rung.load() < running) {
    epoll_event event;
    if (::epoll_wait(events.get(), &event, 1, -1) < 1) continue;
    if (event.data.fd == pidfd_.get())
      throw Error(Failure::target, object_of(task_), "it was killed during the dump", "nothing else was changed");
    if (event.data.fd == stops.get()) let_stopped_go_on(stops.get());
  }
}

/// A SIGSTOP from outside cannot be blocked: it stops threads in the middle of their programs. They are sent on; the
/// stop stays in effect for the process and shows when it is let go.
void BorrowedTask::let_stopped_go_on(int signal_fd) {
  signalfd_siginfo ignored;
  while (::read(signal_fd, &ignored, sizeof ignored) > 0) {
  }
  for (const FrozenThread& th : task_.threads) {
    int status;
    if (::waitpid(th.tid.value, &status, __WALL | WNOHANG) == th.tid.value && WIFSTOPPED(status))
      Tracee(th.tid).resume();
  }
}

void BorrowedTask::give_back() {
  given_back_ = true;
  if (!area_) return;
  stop_parked(parked_.size());
  // every other thread first: the area goes away under them
  for (size_t i = 1; i < task_.threads.size(); i++) {
    FrozenThread& th = task_.threads[i];
    if (!th.diverted) continue;
    Tracee tracee(th.tid);
    // Never its own mask with a foreign stack pointer, never a full mask with its own place in the code: dying between
    // two of these calls, we would leave it to a signal frame in the area, or deaf.
    tracee.set_registers(arch::at_code(th.regs, own_code_[i]));
    tracee.set_signal_mask(th.signal_mask);
    tracee.set_registers(th.regs);
    th.diverted = false;
  }
  FrozenThread& first = task_.threads.front();
  Tracee tracee(first.tid);
  if (cave_clean_) write_cave();
  tracee.set_registers(arch::at_undo(first.regs, borrow_, area_));
  for (int call = 0; call < arch::kUndoCalls; call++) {
    tracee.step_to_syscall_stop();
    tracee.step_to_syscall_stop();
  }
  area_ = RemoteAddr(0);
  tracee.to_event_stop();
  tracee.set_signal_mask(first.signal_mask);
  tracee.set_registers(first.regs);
  first.diverted = false;
  clean_cave();
}

}  // namespace nsr
