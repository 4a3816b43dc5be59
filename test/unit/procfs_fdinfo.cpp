#include <catch2/catch.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/procfs/fdinfo.h"
#include "test/unit/samples_fdinfo.h"

using namespace nsr;
using namespace nsr::procfs;

TEST_CASE("procfs fdinfo: common part and locks") {
  Fdinfo info = parse_fdinfo(samples::locked);
  CHECK(info.pos == 0);
  CHECK(info.flags == 02100002);
  CHECK(info.mnt_id == 27);
  CHECK(info.ino == 10952979u);
  REQUIRE(info.locks.size() == 3);
  CHECK(info.locks[0].kind == FileLock::Kind::flock);
  CHECK(info.locks[0].type == FileLock::Type::write);
  CHECK_FALSE(info.locks[0].end);
  CHECK(info.locks[1].kind == FileLock::Kind::posix);
  CHECK(info.locks[1].pid == 18077);
  CHECK(info.locks[1].dev_major == 0xfe);
  CHECK(info.locks[1].inode == 10952979);
  CHECK(info.locks[1].start == 10);
  CHECK(info.locks[1].end == 29u);
  CHECK(info.locks[2].kind == FileLock::Kind::ofd);
  CHECK(info.locks[2].pid == -1);
  CHECK(info.locks[2].type == FileLock::Type::read);
  REQUIRE(parse_fdinfo(samples::lease).locks.size() == 1);
  CHECK(parse_fdinfo(samples::lease).locks[0].kind == FileLock::Kind::lease);
  CHECK_FALSE(parse_fdinfo("pos:\t-1\nflags:\t00\nmnt_id:\t1\n").ino);
  CHECK(parse_fdinfo("pos:\t-1\nflags:\t00\nmnt_id:\t1\n").pos == -1);
  CHECK_THROWS_AS(parse_fdinfo("pos:\t0\nflags:\t00\n"), Error);
  CHECK_THROWS_AS(parse_fdinfo("pos:\t0\nflags:\t08\nmnt_id:\t1\n"), Error);
  CHECK_THROWS_AS(parse_fdinfo("pos:\t0\nflags:\t00\nmnt_id:\t1"), Error);
}

TEST_CASE("procfs locks: waiters, leases being broken, older and locked-down forms") {
  FileLock waiter = parse_lock("1: -> POSIX  ADVISORY  READ 595 00:14:607 0 EOF");
  CHECK(waiter.waiting);
  CHECK(waiter.id == 1);
  CHECK(parse_lock("12:    -> FLOCK  ADVISORY  WRITE 0 00:14:607 0 EOF").waiting);
  CHECK(parse_lock("3: LEASE  BREAKING  READ  7 fe:00:5 0 EOF").state == FileLock::State::breaking);
  CHECK(parse_lock("3: DELEG  BREAKER   UNLCK 7 fe:00:5 0 EOF").kind == FileLock::Kind::deleg);
  CHECK(parse_lock("4: POSIX  MANDATORY WRITE 7 fe:00:5 0 9").mandatory);
  CHECK(parse_lock("4: POSIX  *NOINODE* WRITE 7 <none>:0 0 EOF").inode == 0);
  CHECK(parse_locks(samples::locks).size() == 4);
  for (const char* bad :
       {"", "1", "1: POSIX", "1: WHAT  ADVISORY  READ 1 0:0:0 0 EOF", "1: POSIX  ADVISORY  READ 1 0:0 0 EOF",
        "1: POSIX  ADVISORY  READ 1 0:0:0 0", "1: POSIX  ADVISORY  READ 1 0:0:0 0 EOF more"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_lock(bad), Error);
  }
}

TEST_CASE("procfs fdinfo: eventfd, epoll, signalfd, timerfd") {
  CHECK(parse_eventfd(samples::eventfd).count == 18);
  CHECK(parse_eventfd(samples::eventfd).semaphore == true);
  CHECK_FALSE(parse_eventfd("eventfd-count: ffffffffffffffff\neventfd-id: 7\n").semaphore);  // 6.1
  CHECK(parse_eventfd("eventfd-count: ffffffffffffffff\n").count == UINT64_MAX);
  std::vector<EpollTarget> targets = parse_epoll(samples::epoll);
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].tfd == 7);
  CHECK(targets[0].events == 0x80000019);
  CHECK(targets[0].data == 0xdeadbeefcafe);
  CHECK(targets[0].ino == 0x40e);
  CHECK(targets[0].sdev == 0x10);
  CHECK_FALSE(parse_epoll("tfd:        5 events:       1d data:                5\n")[0].pos);  // before 4.13
  CHECK_THROWS_AS(parse_epoll("tfd:        5 events:       1d data: \n"), Error);
  CHECK(parse_signalfd(samples::signalfd) == 0x8000000000000200);
  TimerfdInfo t = parse_timerfd(samples::timerfd);
  CHECK(t.clockid == 1);
  CHECK(t.ticks == 1);
  CHECK(t.settime_flags == 1);
  CHECK(t.value_sec == 0);
  CHECK(t.interval_sec == 5);
  CHECK(t.interval_nsec == 6);
  CHECK_THROWS_AS(parse_timerfd(samples::eventfd), Error);
  CHECK_THROWS_AS(parse_signalfd(samples::eventfd), Error);
  CHECK_THROWS_AS(parse_eventfd(samples::timerfd), Error);
}

TEST_CASE("procfs fdinfo: inotify and fanotify") {
  std::vector<InotifyWatch> w = parse_inotify(samples::inotify);
  REQUIRE(w.size() == 3);
  CHECK(w[0].wd == 14);
  CHECK(w[0].ino == 0xebb1);
  CHECK(w[1].sdev == 0xfe00000);
  REQUIRE(w[1].handle);
  CHECK(w[1].handle->type == 1);
  CHECK(w[1].handle->bytes == std::string("\x12\x22\xa7\x00\xb4\x7e\x04\x1c", 8));
  CHECK(w[2].mask == 0xfff);
  CHECK(parse_inotify("inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 \n")[0].handle == std::nullopt);
  const std::string head = "inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 ";
  CHECK_THROWS_AS(parse_inotify(head + "fhandle-bytes:8 fhandle-type:1 f_handle:1234\n"), Error);
  CHECK_THROWS_AS(parse_inotify(head + "fhandle-bytes:81 fhandle-type:1 f_handle:1234\n"), Error);
  CHECK_THROWS_AS(parse_inotify(head + "fhandle-bytes:1 fhandle-type:1 f_handle:zz\n"), Error);
  CHECK_THROWS_AS(parse_inotify(head + "fhandle-bytes:1\n"), Error);

  FanotifyInfo f = parse_fanotify(samples::fanotify);
  CHECK(f.flags == 0);
  CHECK(f.event_flags == 0x8000);
  REQUIRE(f.marks.size() == 3);
  CHECK(f.marks[0].kind == FanotifyMark::Kind::filesystem);
  CHECK(f.marks[1].kind == FanotifyMark::Kind::mount);
  CHECK(f.marks[1].mnt_id == 0x1b);
  CHECK(f.marks[2].kind == FanotifyMark::Kind::inode);
  CHECK(f.marks[2].mask == 0x38);
  CHECK(f.marks[2].handle->bytes.size() == 8);
  CHECK_THROWS_AS(parse_fanotify(samples::inotify), Error);
  CHECK_THROWS_AS(parse_fanotify("fanotify flags:0 event-flags:0\nfanotify new:1\n"), Error);
}

TEST_CASE("procfs fdinfo: pidfd, tun, pty, unix") {
  CHECK(parse_pidfd(samples::pidfd).pid == 18077);
  CHECK(parse_pidfd(samples::pidfd).ns_pid == std::vector<int32_t>{18077});
  CHECK(parse_pidfd(samples::dead_pidfd).pid == -1);
  CHECK(parse_pidfd("Pid:\t10\nNSpid:\t10\t4\t1\n").ns_pid == std::vector<int32_t>{10, 4, 1});
  CHECK_THROWS_AS(parse_pidfd(samples::eventfd), Error);
  CHECK(parse_tun(samples::tun) == "nsrcap0");
  CHECK(parse_tun(samples::tun_unset).empty());
  CHECK(parse_ptmx(samples::ptmx) == 0u);
  CHECK_FALSE(parse_ptmx(samples::eventfd));
  CHECK(parse_scm_fds(samples::unix_socket) == 0u);
}

TEST_CASE("procfs fdinfo: bpf, io_uring, userfaultfd") {
  BpfMapInfo map = parse_bpf_map(samples::bpf_map);
  CHECK(map.type == 2);
  CHECK(map.key_size == 4);
  CHECK(map.value_size == 8);
  CHECK(map.max_entries == 3);
  CHECK(map.memlock == 336);
  CHECK(map.id == 25);
  CHECK_FALSE(map.frozen);
  CHECK(parse_bpf_prog(samples::bpf_prog).tag == "59f4a931744dcdc6");
  CHECK(parse_bpf_prog(samples::bpf_prog).id == 97);
  CHECK_THROWS_AS(parse_bpf_prog(samples::bpf_map), Error);
  UserfaultfdInfo uffd = parse_userfaultfd(samples::userfaultfd);
  CHECK(uffd.api == 0xaa);
  CHECK(uffd.features == 0x80000000);
  CHECK_THROWS_AS(parse_userfaultfd(samples::io_uring), Error);
}
