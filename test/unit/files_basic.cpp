// Regular files, devices, eventfd, pipe, epoll, terminals: dumped and restored in this process.
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <cstring>
#include <fstream>

#include "engine/files/build_id.h"
#include "files_harness.h"

using namespace nsr;
using namespace nsr::fake;
using Catch::Matchers::Contains;

namespace {

UniqueFd opened(const std::string& path, int flags, mode_t mode = 0644) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  REQUIRE(fd);
  return fd;
}

void put(const UniqueFd& fd, const std::string& text) {
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

std::string take(int fd, size_t n) {
  std::string text(n, '\0');
  ssize_t k = ::read(fd, text.data(), n);
  text.resize(k < 0 ? 0 : static_cast<size_t>(k));
  return text;
}

std::pair<UniqueFd, UniqueFd> a_pipe(int flags = O_NONBLOCK) {
  int fd[2];
  REQUIRE(pipe2(fd, flags | O_CLOEXEC) == 0);
  return {UniqueFd(fd[0]), UniqueFd(fd[1])};
}

}  // namespace

TEST_CASE("files: position and flags of a regular file") {
  fake::TempDir dir;
  std::string path = dir.path + "/a file";
  UniqueFd fd = opened(path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOATIME);
  put(fd, "0123456789");
  REQUIRE(lseek(fd.get(), 4, SEEK_SET) == 4);
  RoundTrip trip({fd.get()}, a_regular_kind);
  CHECK(fdinfo_of(trip.fd(0)).substr(0, fdinfo_of(fd.get()).find("mnt_id")) ==
        fdinfo_of(fd.get()).substr(0, fdinfo_of(fd.get()).find("mnt_id")));
  CHECK(link_of(trip.fd(0)) == path);
  CHECK(take(trip.fd(0), 3) == "456");
  CHECK(lseek(fd.get(), 0, SEEK_CUR) == 4);
}

TEST_CASE("files: O_PATH, O_APPEND, O_DIRECT, O_DIRECTORY come back") {
  fake::TempDir dir;
  std::string path = dir.path + "/f";
  for (int flags : {O_PATH, O_WRONLY | O_APPEND, O_RDONLY | O_DIRECT, O_RDWR | O_SYNC}) {
    opened(path, O_RDWR | O_CREAT);
    UniqueFd fd = opened(path, flags);
    RoundTrip trip({fd.get()}, a_regular_kind);
    CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(fd.get(), F_GETFL));
  }
  UniqueFd plain(::open(path.c_str(), O_RDONLY));  // F_GETFL tells for ever whether O_CLOEXEC was asked for
  RoundTrip plain_trip({plain.get()}, a_regular_kind);
  CHECK(fcntl(plain_trip.fd(0), F_GETFL) == fcntl(plain.get(), F_GETFL));
  UniqueFd folder = opened(dir.path, O_RDONLY | O_DIRECTORY);
  RoundTrip trip({folder.get()}, a_regular_kind);
  CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(folder.get(), F_GETFL));
  REQUIRE(symlink("nowhere", (dir.path + "/link").c_str()) == 0);
  UniqueFd link = opened(dir.path + "/link", O_PATH | O_NOFOLLOW);
  RoundTrip link_trip({link.get()}, a_regular_kind);
  CHECK(link_of(link_trip.fd(0)) == dir.path + "/link");
}

TEST_CASE("files: a changed file is refused with both sizes, a grown log is not") {
  fake::TempDir dir;
  std::string path = dir.path + "/f";
  UniqueFd fd = opened(path, O_RDWR | O_CREAT);
  put(fd, "12345");
  Kinds kinds = kinds_of(a_regular_kind);
  fake::TempDir images;
  FilesDump(images.path, kinds).run({fd.get()});
  put(fd, "6789");
  Kinds again = kinds_of(a_regular_kind);
  CHECK_THROWS_WITH(Restore(images.path, again).run(),
                    Contains("has 9 bytes now, but had 5 at the dump") && Contains("--file-validation none"));
  FileOptions tolerant;
  tolerant.validate_size = false;
  CHECK_NOTHROW(Restore(images.path, again, tolerant).run());
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  REQUIRE(ftruncate(fd.get(), 5) == 0);
  CHECK_THROWS_WITH(Restore(images.path, again).run(), Contains("--skip-file-rwx-check"));
  REQUIRE(unlink(path.c_str()) == 0);
  CHECK_THROWS_WITH(Restore(images.path, again).run(), Contains("No such file"));

  UniqueFd log = opened(path, O_RDWR | O_APPEND | O_CREAT);
  put(log, "line\n");
  Kinds third = kinds_of(a_regular_kind);
  FilesDump(images.path, third).run({log.get()});
  put(log, "line\n");
  Kinds fourth = kinds_of(a_regular_kind);
  CHECK_NOTHROW(Restore(images.path, fourth).run());
}

TEST_CASE("files: build id of a program") {
  UniqueFd fd = opened("/proc/self/exe", O_RDONLY);
  std::vector<uint32_t> id = read_build_id(fd.get());
  UniqueFd text = opened("/etc/passwd", O_RDONLY);
  CHECK(read_build_id(text.get()).empty());
  UniqueFd sh = opened("/bin/sh", O_RDONLY);
  CHECK(read_build_id(sh.get()).size() == 5);
}

TEST_CASE("files: a deleted file keeps content, holes, owner and mode") {
  fake::TempDir dir;
  std::string path = dir.path + "/gone";
  UniqueFd fd = opened(path, O_RDWR | O_CREAT, 0640);
  REQUIRE(ftruncate(fd.get(), 3ll << 30) == 0);
  REQUIRE(pwrite(fd.get(), "deep", 4, 2ll << 30) == 4);
  put(fd, "head");
  UniqueFd second = opened(path, O_WRONLY | O_APPEND);
  REQUIRE(unlink(path.c_str()) == 0);
  RoundTrip trip({fd.get(), second.get()}, a_regular_kind);
  struct stat before, after, other;
  fstat(fd.get(), &before), fstat(trip.fd(0), &after), fstat(trip.fd(1), &other);
  CHECK(after.st_size == before.st_size);
  CHECK(after.st_blocks <= before.st_blocks + 16);
  CHECK(after.st_nlink == 0);
  CHECK(after.st_mode == before.st_mode);
  CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
  CHECK(after.st_ino == other.st_ino);
  CHECK(link_of(trip.fd(0)) == path + " (deleted)");
  char deep[4];
  REQUIRE(pread(trip.fd(0), deep, 4, 2ll << 30) == 4);
  CHECK(std::string(deep, 4) == "deep");
  CHECK(std::filesystem::is_empty(dir.path));
  FileOptions small;
  small.ghost_limit = 4096;
  CHECK_THROWS_WITH(RoundTrip({fd.get()}, small, small, a_regular_kind), Contains("--ghost-limit"));
}

TEST_CASE("files: deleted directories and files in them") {
  fake::TempDir dir;
  std::string inner = dir.path + "/d";
  REQUIRE(mkdir(inner.c_str(), 0750) == 0);
  UniqueFd folder = opened(inner, O_RDONLY | O_DIRECTORY);
  UniqueFd file = opened(inner + "/f", O_RDWR | O_CREAT);
  put(file, "text");
  std::filesystem::remove_all(inner);
  RoundTrip trip({folder.get(), file.get()}, a_regular_kind);
  CHECK(link_of(trip.fd(0)) == inner + " (deleted)");
  CHECK(link_of(trip.fd(1)) == inner + "/f (deleted)");
  CHECK(lseek(trip.fd(1), 0, SEEK_CUR) == 4);
  CHECK(std::filesystem::is_empty(dir.path));
}

TEST_CASE("files: a name that is gone while another is left needs --link-remap") {
  fake::TempDir dir;
  std::string path = dir.path + "/a";
  UniqueFd fd = opened(path, O_RDWR | O_CREAT);
  put(fd, "x");
  REQUIRE(link(path.c_str(), (dir.path + "/b").c_str()) == 0);
  REQUIRE(unlink(path.c_str()) == 0);
  CHECK_THROWS_WITH(RoundTrip({fd.get()}, a_regular_kind), Contains("--link-remap"));
  FileOptions options;
  options.link_remap = true;
  RoundTrip trip({fd.get()}, options, options, a_regular_kind);
  struct stat before, after;
  fstat(fd.get(), &before), fstat(trip.fd(0), &after);
  CHECK(before.st_ino == after.st_ino);
  CHECK(after.st_nlink == 1);
}

TEST_CASE("files: external files are given back by --inherit-fd") {
  UniqueFd fd = opened("/etc/passwd", O_RDONLY);
  auto seen = look_at(HostPid(getpid()), NsPid(getpid()), fd.get());
  FileOptions dump, restore;
  std::string key = format("file[%x:%lx]", seen->mnt_id, seen->st.st_ino);
  dump.external.push_back(key);
  CHECK_THROWS_WITH(RoundTrip({fd.get()}, dump, restore, a_regular_kind), Contains("--inherit-fd"));
  UniqueFd other = opened("/etc/group", O_RDONLY);
  restore.inherit_fd[key] = other.get();
  RoundTrip trip({fd.get()}, dump, restore, a_regular_kind);
  CHECK(link_of(trip.fd(0)) == "/etc/group");
}

TEST_CASE("files: character devices") {
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/kmsg"}) {
    INFO(path);
    UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
    if (!fd) continue;
    RoundTrip trip({fd.get()}, a_regular_kind);
    CHECK(link_of(trip.fd(0)) == path);
  }
}

TEST_CASE("files: eventfd with count and semaphore") {
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK));
  uint64_t count = (1ull << 40) + 5;
  REQUIRE(write(fd.get(), &count, 8) == 8);
  RoundTrip trip({fd.get()}, make_eventfd_kind);
  auto state = [](int f) { return fdinfo_of(f).substr(fdinfo_of(f).find("eventfd-count")); };
  auto drop_id = [](std::string text) {
    size_t at = text.find("eventfd-id");
    return text.erase(at, text.find('\n', at) - at);
  };
  CHECK(drop_id(state(trip.fd(0))) == drop_id(state(fd.get())));
  CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(fd.get(), F_GETFL));
}

TEST_CASE("files: a pipe with data, capacity, and a second reader") {
  auto [r, w] = a_pipe();
  REQUIRE(fcntl(w.get(), F_SETPIPE_SZ, 262144) == 262144);
  put(w, std::string(100000, 'p') + "end");
  UniqueFd again(::open(format("/proc/self/fd/%d", r.get()).c_str(), O_RDONLY | O_CLOEXEC));
  RoundTrip trip({r.get(), w.get(), again.get()}, make_pipe_kind);
  CHECK(fcntl(trip.fd(1), F_GETPIPE_SZ) == 262144);
  CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(r.get(), F_GETFL));
  CHECK(fcntl(trip.fd(2), F_GETFL) == fcntl(again.get(), F_GETFL));
  CHECK(take(trip.fd(0), 50000) == std::string(50000, 'p'));
  CHECK(take(trip.fd(2), 60000) == std::string(50000, 'p') + "end");
  CHECK(take(r.get(), 200000).size() == 100003);  // the original was not touched
}

TEST_CASE("files: packets of a pipe keep their borders") {
  auto [r, w] = a_pipe(O_NONBLOCK | O_DIRECT);
  put(w, "one");
  put(w, "three");
  put(w, std::string(4096, 'x'));
  RoundTrip trip({r.get(), w.get()}, make_pipe_kind);
  CHECK(fcntl(trip.fd(1), F_GETFL) == fcntl(w.get(), F_GETFL));
  CHECK(take(trip.fd(0), 100) == "one");
  CHECK(take(trip.fd(0), 100) == "three");
  CHECK(take(trip.fd(0), 5000).size() == 4096);
}

TEST_CASE("files: half-closed pipes stay half-closed") {
  auto [r, w] = a_pipe();
  put(w, "rest");
  w.reset();
  RoundTrip trip({r.get()}, make_pipe_kind);
  CHECK(take(trip.fd(0), 10) == "rest");
  CHECK(read(trip.fd(0), &errno, 1) == 0);
  auto [r2, w2] = a_pipe();
  r2.reset();
  RoundTrip other({w2.get()}, make_pipe_kind);
  pollfd p{other.fd(0), POLLOUT, 0};
  poll(&p, 1, 0);
  CHECK((p.revents & POLLERR) != 0);
}

TEST_CASE("files: a pipe to the outside is named and inherited") {
  auto [r, w] = a_pipe();
  std::string key = link_of(r.get());
  RoundTrip alone({w.get()}, make_pipe_kind);
  signal(SIGPIPE, SIG_IGN);
  CHECK((write(alone.fd(0), "x", 1) < 0 && errno == EPIPE));
  FileOptions dump, restore;
  dump.external.push_back(key);
  CHECK_THROWS_WITH(RoundTrip({w.get()}, dump, restore, make_pipe_kind), Contains("outside of the tree at the dump"));
  auto [r2, w2] = a_pipe();
  restore.inherit_fd[key] = w2.get();
  RoundTrip trip({w.get()}, dump, restore, make_pipe_kind);
  REQUIRE(write(trip.fd(0), "hi", 2) == 2);
  CHECK(take(r2.get(), 10) == "hi");
}

TEST_CASE("files: epoll with one-shot, edge and a closed duplicate") {
  UniqueFd ep(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd one(eventfd(1, EFD_CLOEXEC)), two(eventfd(1, EFD_CLOEXEC)), nested(epoll_create1(EPOLL_CLOEXEC));
  auto add = [&](int fd, uint32_t events, uint64_t data) {
    epoll_event e{};
    e.events = events;
    e.data.u64 = data;
    REQUIRE(epoll_ctl(ep.get(), EPOLL_CTL_ADD, fd, &e) == 0);
  };
  add(one.get(), EPOLLIN | EPOLLET, 0x1122334455667788);
  add(two.get(), EPOLLOUT | EPOLLONESHOT, 2);
  add(nested.get(), EPOLLIN, 3);
  int copy = fcntl(one.get(), F_DUPFD_CLOEXEC, 100);
  add(copy, EPOLLIN, 4);
  close(copy);
  std::vector<int> fds{ep.get(), one.get(), two.get(), nested.get()};
  RoundTrip trip(fds, make_eventfd_kind, make_epoll_kind);
  trip.install(fds);
  std::set<uint64_t> ready;
  epoll_event got[8];
  int n = epoll_wait(ep.get(), got, 8, 0);
  for (int i = 0; i < n; ++i) ready.insert(got[i].data.u64);
  CHECK(ready == std::set<uint64_t>{0x1122334455667788, 2, 4});
  CHECK_THAT(fdinfo_of(ep.get()), Contains("events: 8000001d") || Contains("events: 80000019"));
}

TEST_CASE("files: owner and signal of a descriptor are set in the task") {
  auto [r, w] = a_pipe();
  RoundTrip trip({r.get(), w.get()}, make_pipe_kind);
  pb::file_entry entry = *trip.restore->entry(trip.ids[0]);
  entry.mutable_pipe()->mutable_fown()->set_pid(static_cast<uint32_t>(getpid()));
  entry.mutable_pipe()->mutable_fown()->set_pid_type(F_OWNER_PID);
  entry.mutable_pipe()->mutable_fown()->set_signum(SIGURG);
  entry.mutable_pipe()->set_flags(O_NONBLOCK | FASYNC);
  REQUIRE(trip.kinds[0]->needs_task(entry));
  alignas(64) static std::byte area[4096];
  Arena arena(area, RemoteAddr(reinterpret_cast<uint64_t>(area)), sizeof area);
  Program program;
  std::vector<pb::fdinfo_entry> table;
  TaskStage stage{program, arena, NsPid(getpid()), trip.fd(0), table};
  trip.kinds[0]->emit(entry, stage);
  run_here(program);
  CHECK(fcntl(trip.fd(0), F_GETOWN) == getpid());
  CHECK(fcntl(trip.fd(0), F_GETSIG) == SIGURG);
  CHECK((fcntl(trip.fd(0), F_GETFL) & FASYNC) != 0);
}

TEST_CASE("files: a pair of pseudo-terminals") {
  UniqueFd master = opened("/dev/ptmx", O_RDWR | O_NOCTTY);
  int unlocked = 0, index = -1;
  REQUIRE(ioctl(master.get(), TIOCSPTLCK, &unlocked) == 0);
  REQUIRE(ioctl(master.get(), TIOCGPTN, &index) == 0);
  UniqueFd slave = opened(format("/dev/pts/%d", index), O_RDWR | O_NOCTTY);
  struct termios t;
  REQUIRE(tcgetattr(slave.get(), &t) == 0);
  cfmakeraw(&t);
  t.c_cc[VMIN] = 7;
  REQUIRE(tcsetattr(slave.get(), TCSANOW, &t) == 0);
  struct winsize size {
    33, 101, 1, 2
  }, back{};
  REQUIRE(ioctl(master.get(), TIOCSWINSZ, &size) == 0);
  Kinds kinds = kinds_of(make_tty_kind, a_regular_kind);
  fake::TempDir images;
  std::vector<uint32_t> ids;
  {
    FilesDump dump(images.path, kinds);
    ids = dump.run({master.get(), slave.get()});
  }
  slave.reset();
  master.reset();
  Kinds again = kinds_of(make_tty_kind, a_regular_kind);
  Restore restore(images.path, again);
  // the path entries have no holder; they are not opened here
  for (uint32_t id : ids) restore.fd_of(id);
  for (auto& kind : again) kind->finish_restore(restore);
  int got = -1;
  REQUIRE(ioctl(restore.fd(ids[0]), TIOCGPTN, &got) == 0);
  CHECK(got == index);
  CHECK(link_of(restore.fd(ids[1])) == format("/dev/pts/%d", index));
  struct termios after;
  REQUIRE(tcgetattr(restore.fd(ids[1]), &after) == 0);
  CHECK(after.c_lflag == t.c_lflag);
  CHECK(after.c_iflag == t.c_iflag);
  CHECK(memcmp(after.c_cc, t.c_cc, sizeof t.c_cc) == 0);
  REQUIRE(ioctl(restore.fd(ids[1]), TIOCGWINSZ, &back) == 0);
  CHECK(memcmp(&back, &size, sizeof size) == 0);
}

TEST_CASE("files: a terminal from outside needs --shell-job") {
  UniqueFd master = opened("/dev/ptmx", O_RDWR | O_NOCTTY);
  int unlocked = 0;
  REQUIRE(ioctl(master.get(), TIOCSPTLCK, &unlocked) == 0);
  UniqueFd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(slave);
  Kinds kinds = kinds_of(make_tty_kind, a_regular_kind);
  fake::TempDir images;
  CHECK_THROWS_WITH(FilesDump(images.path, kinds).run({slave.get()}), Contains("--shell-job"));
}

TEST_CASE("files: what no kind keeps is refused with a reason") {
  UniqueFd fd = opened("/dev/loop-control", O_RDONLY);
  CHECK_THROWS_WITH(RoundTrip({fd.get()}, a_regular_kind, make_unknown_kind),
                    Contains("loop-control") && Contains("fd "));
}
