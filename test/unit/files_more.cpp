// FIFOs, signalfd, timerfd, memfd, /proc files: dumped and restored in this process.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/files/named_files.h"
#include "files_harness.h"

using namespace nsr;
using namespace nsr::fake;
using Catch::Matchers::Contains;

namespace {

Kinds fifo_kinds() {
  auto files = make_named_files();
  Kinds list;
  list.push_back(with_owner(make_fifo_kind(files)));
  list.push_back(with_owner(make_regular_kind(files)));
  return list;
}

std::vector<uint32_t> dumped(const std::string& dir, Kinds kinds, const std::vector<int>& fds) {
  FilesDump dump(dir, kinds);
  return dump.run(fds);
}

std::string take(int fd, size_t n) {
  std::string text(n, '\0');
  ssize_t k = ::read(fd, text.data(), n);
  text.resize(k < 0 ? 0 : static_cast<size_t>(k));
  return text;
}

/// fdinfo without the lines that differ between any two objects.
std::string state_of(int fd) {
  std::string text = fdinfo_of(fd), out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at) + 1;
    std::string line = text.substr(at, end - at);
    if (line.compare(0, 4, "ino:") != 0 && line.find("-id:") == std::string::npos) out += line;
    at = end;
  }
  return out;
}

}  // namespace

TEST_CASE("files: a FIFO with data, and a deleted one opened O_RDWR") {
  fake::TempDir dir, images;
  std::string path = dir.path + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0620) == 0);
  UniqueFd both(open(path.c_str(), O_RDWR | O_CLOEXEC)), w(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(write(w.get(), "hello", 5) == 5);
  SECTION("in place") {
    auto ids = dumped(images.path, fifo_kinds(), {both.get(), w.get()});
    CHECK(take(both.get(), 10) == "hello");
    both.reset();
    w.reset();
    Kinds kinds = fifo_kinds();
    Restore restore(images.path, kinds);
    for (uint32_t id : ids) restore.fd_of(id);
    for (auto& k : kinds) k->finish_restore(restore);
    CHECK(link_of(restore.fd(ids[0])) == path);
    CHECK((fcntl(restore.fd(ids[1]), F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK));
    CHECK((fcntl(restore.fd(ids[0]), F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDWR);
    CHECK(take(restore.fd(ids[0]), 10) == "hello");
  }
  SECTION("deleted") {
    REQUIRE(unlink(path.c_str()) == 0);
    auto ids = dumped(images.path, fifo_kinds(), {both.get(), w.get()});
    Kinds kinds = fifo_kinds();
    Restore restore(images.path, kinds);
    for (uint32_t id : ids) restore.fd_of(id);
    for (auto& k : kinds) k->finish_restore(restore);
    CHECK(link_of(restore.fd(ids[0])) == path + " (deleted)");
    CHECK(take(restore.fd(ids[0]), 10) == "hello");
    struct stat before, after;
    REQUIRE(fstat(both.get(), &before) == 0);
    REQUIRE(fstat(restore.fd(ids[1]), &after) == 0);
    CHECK(after.st_mode == before.st_mode);
  }
}

TEST_CASE("files: signalfd keeps its mask") {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGHUP);
  sigaddset(&mask, SIGRTMAX);
  UniqueFd fd(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  RoundTrip trip({fd.get()}, make_signalfd_kind);
  CHECK(state_of(trip.fd(0)) == state_of(fd.get()));
}

TEST_CASE("files: timerfd on each clock, with expirations not read") {
  for (int clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    UniqueFd fd(timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK));
    itimerspec t{{1000, 5}, {0, 1}};
    REQUIRE(timerfd_settime(fd.get(), 0, &t, nullptr) == 0);
    while (fdinfo_of(fd.get()).find("ticks: 1") == std::string::npos) sched_yield();
    RoundTrip trip({fd.get()}, make_timerfd_kind);
    itimerspec now{};
    REQUIRE(timerfd_gettime(trip.fd(0), &now) == 0);
    CHECK(now.it_interval.tv_sec == 1000);
    CHECK(now.it_interval.tv_nsec == 5);
    CHECK(now.it_value.tv_sec >= 990);
    CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(fd.get(), F_GETFL));
    uint64_t ticks = 0;
    REQUIRE(read(trip.fd(0), &ticks, 8) == 8);
    CHECK(ticks == 1);
  }
}

TEST_CASE("files: an absolute timerfd that is cancelled on clock set") {
  UniqueFd fd(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC));
  itimerspec t{};
  t.it_value.tv_sec = time(nullptr) + 500;
  REQUIRE(timerfd_settime(fd.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, nullptr) == 0);
  RoundTrip trip({fd.get()}, make_timerfd_kind);
  CHECK_THAT(fdinfo_of(trip.fd(0)), Contains("settime flags: 03"));
  itimerspec now{};
  REQUIRE(timerfd_gettime(trip.fd(0), &now) == 0);
  CHECK(now.it_value.tv_sec > 490);
  CHECK(now.it_value.tv_sec <= 500);
}

TEST_CASE("files: memfd shared by two descriptions, sealed") {
  UniqueFd fd(memfd_create("my name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  UniqueFd second(open(format("/proc/self/fd/%d", fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fchmod(fd.get(), 0640) == 0);
  REQUIRE(lseek(fd.get(), 3, SEEK_SET) == 3);
  REQUIRE(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
  RoundTrip trip({fd.get(), second.get()}, make_memfd_kind);
  struct stat a, b, before;
  fstat(trip.fd(0), &a), fstat(trip.fd(1), &b), fstat(fd.get(), &before);
  CHECK(a.st_ino == b.st_ino);
  CHECK(a.st_mode == before.st_mode);
  CHECK(link_of(trip.fd(0)) == "/memfd:my name (deleted)");
  CHECK(fcntl(trip.fd(0), F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SHRINK));
  CHECK((fcntl(trip.fd(1), F_GETFL) & O_ACCMODE) == O_RDONLY);
  CHECK(lseek(trip.fd(0), 0, SEEK_CUR) == 3);
}

namespace {

std::unique_ptr<Kind> a_proc_kind() { return with_owner(make_proc_kind(make_named_files())); }

}  // namespace

TEST_CASE("files: /proc files of a member of the tree, and of a process that has ended") {
  UniqueFd alive(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::string path = format("/proc/%d/comm", child);
  UniqueFd dead(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  REQUIRE(lseek(alive.get(), 5, SEEK_SET) == 5);
  UniqueFd copy(fcntl(alive.get(), F_DUPFD_CLOEXEC, 60));
  std::vector<int> fds{alive.get(), dead.get(), copy.get()};
  RoundTrip trip(fds, a_proc_kind);
  trip.install(fds);
  CHECK(link_of(alive.get()) == format("/proc/%d/status", getpid()));
  CHECK(lseek(alive.get(), 0, SEEK_CUR) == 5);
  CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, alive.get(), copy.get()) == 0);
  CHECK_THAT(link_of(dead.get()), Catch::Matchers::StartsWith(path));
  char byte;
  CHECK(read(dead.get(), &byte, 1) < 0);
  CHECK(errno == ESRCH);
  UniqueFd init(open("/proc/1/status", O_RDONLY | O_CLOEXEC));
  CHECK_THROWS_WITH(RoundTrip({init.get()}, a_proc_kind), Contains("process 1 is not in the tree"));
}
