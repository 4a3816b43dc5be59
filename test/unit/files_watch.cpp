// inotify, fanotify, pidfd, locks, message queues, BPF maps: dumped and restored in this process.
#include <fcntl.h>
#include <linux/bpf.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/files/named_files.h"
#include "engine/procfs/fdinfo.h"
#include "files_harness.h"

using namespace nsr;
using namespace nsr::fake;
using Catch::Matchers::Contains;

namespace {

/// Regular files and the two kinds of watchers over one path service.
Kinds watch_kinds() {
  auto files = make_named_files();
  Kinds list;
  list.push_back(with_owner(make_regular_kind(files)));
  list.push_back(with_owner(make_inotify_kind(files)));
  list.push_back(with_owner(make_fanotify_kind(files)));
  return list;
}

struct Trip {
  explicit Trip(const std::vector<int>& fds) {
    Kinds dumping = watch_kinds();
    {
      FilesDump dump(dir.path, dumping);
      ids = dump.run(fds);
    }
    kinds = watch_kinds();
    restore = std::make_unique<Restore>(dir.path, kinds);
    restore->run();
  }
  int fd(size_t i) const { return restore->fd(ids[i]); }
  fake::TempDir dir;
  std::vector<uint32_t> ids;
  Kinds kinds;
  std::unique_ptr<Restore> restore;
};

std::string lines_with(const std::string& text, const std::string& word) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at) + 1;
    if (text.substr(at, end - at).find(word) != std::string::npos) out += text.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace

TEST_CASE("files: inotify watches keep numbers, masks and inodes, deleted files too") {
  fake::TempDir dir;
  UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  std::string moved = dir.path + "/moved", gone = dir.path + "/gone";
  UniqueFd a(open((dir.path + "/first").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  UniqueFd b(open(gone.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  int first = inotify_add_watch(fd.get(), (dir.path + "/first").c_str(), IN_MODIFY);
  int removed = inotify_add_watch(fd.get(), "/etc", IN_CREATE);
  int folder = inotify_add_watch(fd.get(), dir.path.c_str(), IN_CREATE | IN_DELETE | IN_ONLYDIR);
  int deleted = inotify_add_watch(fd.get(), gone.c_str(), IN_ATTRIB);
  REQUIRE(inotify_rm_watch(fd.get(), removed) == 0);
  REQUIRE(rename((dir.path + "/first").c_str(), moved.c_str()) == 0);
  REQUIRE(unlink(gone.c_str()) == 0);
  Trip trip({fd.get(), b.get()});
  auto before = procfs::parse_inotify(fdinfo_of(fd.get())), after = procfs::parse_inotify(fdinfo_of(trip.fd(0)));
  REQUIRE(after.size() == 3);
  for (const auto& w : before) {
    auto same = std::find_if(after.begin(), after.end(), [&](const auto& x) { return x.wd == w.wd; });
    REQUIRE(same != after.end());
    CHECK(same->mask == w.mask);
    if (w.wd != deleted) CHECK(same->ino == w.ino);
  }
  CHECK(first == 1);
  CHECK(folder == 3);
  char none;
  CHECK(read(trip.fd(0), &none, 1) < 0);  // no event of the restore itself
  CHECK(errno == EAGAIN);
  REQUIRE(fchmod(trip.fd(1), 0640) == 0);
  alignas(inotify_event) char event[256];
  REQUIRE(read(trip.fd(0), event, sizeof event) > 0);
  CHECK(reinterpret_cast<inotify_event*>(event)->wd == deleted);
}

TEST_CASE("files: fanotify marks of inodes and mounts") {
  UniqueFd fd(fanotify_init(FAN_CLOEXEC | FAN_NONBLOCK | FAN_CLASS_NOTIF, O_RDONLY | O_LARGEFILE));
  if (!fd) return;  // needs CAP_SYS_ADMIN
  fake::TempDir dir;
  std::string path = dir.path + "/f";
  UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(fanotify_mark(fd.get(), FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_ONDIR, AT_FDCWD, path.c_str()) == 0);
  REQUIRE(fanotify_mark(fd.get(), FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN,
                        AT_FDCWD, path.c_str()) == 0);
  REQUIRE(fanotify_mark(fd.get(), FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_MODIFY, AT_FDCWD, "/dev/shm") == 0);
  Trip trip({fd.get()});
  CHECK(lines_with(fdinfo_of(trip.fd(0)), "fanotify") == lines_with(fdinfo_of(fd.get()), "fanotify"));
  CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(fd.get(), F_GETFL));
}

TEST_CASE("files: pidfd of a process that has ended, and of a stranger") {
  pid_t child = fork();
  if (child == 0) _exit(0);
  UniqueFd dead(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  REQUIRE(waitpid(child, nullptr, 0) == child);
  RoundTrip trip({dead.get()}, make_pidfd_kind);
  CHECK(procfs::parse_pidfd(fdinfo_of(trip.fd(0))).pid == -1);
  CHECK(syscall(SYS_pidfd_send_signal, trip.fd(0), 0, nullptr, 0) < 0);
  CHECK(errno == ESRCH);
  UniqueFd init(static_cast<int>(syscall(SYS_pidfd_open, 1, 0)));
  CHECK_THROWS_WITH(RoundTrip({init.get()}, make_pidfd_kind),
                    Contains("process 1, which it refers to, is not in the tree"));
}

TEST_CASE("files: locks of every kind are taken by the task again") {
  fake::TempDir dir;
  auto open_one = [&](const char* name) {
    UniqueFd fd(open((dir.path + "/" + name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(fd);
    return fd;
  };
  UniqueFd posix = open_one("posix"), whole = open_one("flock"), ofd = open_one("ofd");
  struct flock range {};
  range.l_type = F_WRLCK, range.l_start = 5, range.l_len = 10;
  REQUIRE(fcntl(posix.get(), F_SETLK, &range) == 0);
  range.l_type = F_RDLCK, range.l_start = 100, range.l_len = 0;
  REQUIRE(fcntl(ofd.get(), F_OFD_SETLK, &range) == 0);
  REQUIRE(flock(whole.get(), LOCK_EX) == 0);
  std::vector<int> fds{posix.get(), whole.get(), ofd.get()};
  CHECK_THROWS_WITH(RoundTrip(fds, a_regular_kind, make_file_locks), Contains("--file-locks"));
  auto kept = [&] {
    std::string text;
    for (int fd : fds)
      for (const auto& l : procfs::parse_fdinfo(fdinfo_of(fd)).locks)
        text += format("%d %d %llu %llu\n", int(l.kind), int(l.type), (unsigned long long)l.start,
                       (unsigned long long)l.end.value_or(0));
    return text;
  };
  std::string before = kept();
  FileOptions options;
  options.file_locks = true;
  // the originals hold their locks until the new descriptors take their numbers
  RoundTrip trip(fds, options, options, a_regular_kind, make_file_locks);
  trip.install(fds);
  CHECK(kept() == before);
}

TEST_CASE("files: a lease is taken again") {
  fake::TempDir dir, images;
  std::string path = dir.path + "/leased";
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(fcntl(fd.get(), F_SETLEASE, F_WRLCK) == 0);
  FileOptions options;
  options.file_locks = true;
  Kinds kinds = kinds_of(a_regular_kind, make_file_locks);
  std::vector<uint32_t> ids;
  {
    FilesDump dump(images.path, kinds, options);
    ids = dump.run({fd.get()});
  }
  CHECK(fcntl(fd.get(), F_GETLEASE) == F_WRLCK);  // the dump did not break it
  int number = fd.get();
  fd.reset();
  Kinds again = kinds_of(a_regular_kind, make_file_locks);
  Restore restore(images.path, again, options);
  restore.run();
  UniqueFd restored(dup2(restore.fd(ids[0]), number));
  restore.fds.clear();
  alignas(64) static std::byte area[4096];
  Arena arena(area, RemoteAddr(reinterpret_cast<uint64_t>(area)), sizeof area);
  Program program;
  std::vector<pb::fdinfo_entry> table;
  TaskStage stage{program, arena, NsPid(getpid()), -1, table};
  for (auto& kind : again) kind->emit_task(stage);
  run_here(program);
  CHECK(fcntl(restored.get(), F_GETLEASE) == F_WRLCK);
}

TEST_CASE("files: a message queue is opened by its name") {
  std::string name = format("/nsr-unit-%d", getpid());
  mq_attr attr{};
  attr.mq_maxmsg = 4, attr.mq_msgsize = 16;
  UniqueFd fd(mq_open(name.c_str(), O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr));
  if (!fd) return;
  REQUIRE(mq_send(fd.get(), "abc", 3, 1) == 0);
  RoundTrip trip({fd.get()}, make_mqueue_kind, a_regular_kind);
  REQUIRE(mq_unlink(name.c_str()) == 0);
  char text[16];
  CHECK(mq_receive(trip.fd(0), text, sizeof text, nullptr) == 3);
  CHECK(fcntl(trip.fd(0), F_GETFL) == fcntl(fd.get(), F_GETFL));
}

TEST_CASE("files: an unlinked message queue comes with its messages, for each of its files") {
  std::string name = format("/nsr-unit-gone-%d", getpid());
  mq_attr attr{};
  attr.mq_maxmsg = 4, attr.mq_msgsize = 16;
  UniqueFd fd(mq_open(name.c_str(), O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr));
  if (!fd) return;
  UniqueFd reader(mq_open(name.c_str(), O_RDONLY | O_NONBLOCK));
  REQUIRE((reader && mq_unlink(name.c_str()) == 0));
  REQUIRE((mq_send(fd.get(), "low", 3, 1) == 0 && mq_send(fd.get(), "high", 4, 2) == 0));
  RoundTrip trip({fd.get(), reader.get()}, make_mqueue_kind, a_regular_kind);
  char text[16];
  unsigned priority = 0;
  CHECK((mq_receive(trip.fd(1), text, sizeof text, &priority) == 4 && priority == 2));
  CHECK((mq_receive(trip.fd(0), text, sizeof text, &priority) == 3 && priority == 1));
  CHECK((mq_receive(trip.fd(0), text, sizeof text, nullptr) < 0 && errno == EAGAIN));
  // what was looked into is as it was
  CHECK((mq_receive(fd.get(), text, sizeof text, &priority) == 4 && priority == 2));
  CHECK((mq_open(name.c_str(), O_RDONLY) < 0 && errno == ENOENT));
}

TEST_CASE("files: BPF maps with their content") {
  bpf_attr attr{};
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.key_size = 4, attr.value_size = 8, attr.max_entries = 100;
  strcpy(attr.map_name, "counters");
  UniqueFd fd(static_cast<int>(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr)));
  if (!fd) return;  // needs CAP_BPF
  for (uint32_t k = 0; k < 50; ++k) {
    uint64_t v = k * 1000ull;
    bpf_attr set{};
    set.map_fd = fd.get(), set.key = reinterpret_cast<uint64_t>(&k), set.value = reinterpret_cast<uint64_t>(&v);
    REQUIRE(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &set, sizeof set) == 0);
  }
  RoundTrip trip({fd.get()}, make_bpf_map_kind);
  for (uint32_t k = 0; k < 50; ++k) {
    uint64_t v = 0;
    bpf_attr get{};
    get.map_fd = trip.fd(0), get.key = reinterpret_cast<uint64_t>(&k), get.value = reinterpret_cast<uint64_t>(&v);
    REQUIRE(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &get, sizeof get) == 0);
    CHECK(v == k * 1000ull);
  }
}
