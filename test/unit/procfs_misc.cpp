#include <elf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>

#include "engine/base/error.h"
#include "engine/procfs/auxv.h"
#include "engine/procfs/cgroup.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/limits.h"
#include "engine/procfs/links.h"
#include "engine/procfs/maps.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/procfs/syscall.h"
#include "engine/procfs/timers.h"
#include "test/unit/samples_misc.h"

using namespace nsr;
using namespace nsr::procfs;

TEST_CASE("procfs timers: a captured file") {
  std::vector<PosixTimer> t = parse_timers(samples::timers);
  REQUIRE(t.size() == 4);
  CHECK(t[0].id == 3);
  CHECK(t[0].clock_id == -6);
  CHECK(t[0].signo == SIGALRM);
  CHECK(t[1].sigev_notify() == SIGEV_NONE);
  CHECK(t[1].sigval == 0x7fff86e452a8);
  CHECK(t[2].thread_id);
  CHECK(t[2].sigev_notify() == SIGEV_THREAD_ID);
  CHECK(t[3].target == 18077);
  CHECK(t[3].clock_id == CLOCK_MONOTONIC);
  CHECK(t[3].sigev_notify() == SIGEV_SIGNAL);
  CHECK(parse_timers("").empty());
  CHECK_THROWS_AS(parse_timers("ID: 1\nsignal: 1/0\nnotify: signal/pid.1\n"), Error);
  CHECK_THROWS_AS(parse_timers("ID: 1\nsignal: 1/0\nnotify: what/pid.1\nClockID: 0\n"), Error);
  CHECK_THROWS_AS(parse_timers("ID: 1\nsignal: 1/0\nnotify: signal/uid.1\nClockID: 0\n"), Error);
}

TEST_CASE("procfs limits: every resource at its number") {
  Limits l = parse_limits(samples::limits);
  CHECK(l[RLIMIT_CPU].rlim_cur == RLIM_INFINITY);
  CHECK(l[RLIMIT_STACK].rlim_cur == 8388608);
  CHECK(l[RLIMIT_STACK].rlim_max == RLIM_INFINITY);
  CHECK(l[RLIMIT_CORE].rlim_cur == 0);
  CHECK(l[RLIMIT_NPROC].rlim_max == 96365);
  CHECK(l[RLIMIT_NOFILE].rlim_cur == 20000);
  CHECK(l[RLIMIT_MEMLOCK].rlim_cur == 8388608);
  CHECK(l[RLIMIT_SIGPENDING].rlim_cur == 96365);
  CHECK(l[RLIMIT_MSGQUEUE].rlim_cur == 819200);
  CHECK(l[RLIMIT_NICE].rlim_cur == 0);
  CHECK(l[RLIMIT_RTTIME].rlim_cur == RLIM_INFINITY);
  std::string text = samples::limits;
  text.erase(text.find("Max open files"), text.find("Max locked") - text.find("Max open files"));
  CHECK_THROWS_AS(parse_limits(text), Error);
}

TEST_CASE("procfs auxv: ends at AT_NULL") {
  const AuxEntry raw[] = {{AT_PAGESZ, 4096}, {AT_SYSINFO_EHDR, 0x7fff00000000}, {AT_NULL, 0}, {7, 7}};
  std::string_view bytes(reinterpret_cast<const char*>(raw), sizeof raw);
  std::vector<AuxEntry> auxv = parse_auxv(bytes);
  CHECK(auxv.size() == 2);
  CHECK(aux_value(auxv, AT_SYSINFO_EHDR) == 0x7fff00000000u);
  CHECK_FALSE(aux_value(auxv, AT_PHDR));
  CHECK(parse_auxv("").empty());
  CHECK_THROWS_AS(parse_auxv(bytes.substr(0, 40)), Error);
}

TEST_CASE("procfs cgroup: versions 1 and 2, removed, below the root") {
  std::vector<CgroupEntry> e =
      parse_cgroup("9:name=systemd:/a:b c\n3:cpu,cpuacct:/../x\n0::/user.slice/gone (deleted)\n");
  REQUIRE(e.size() == 3);
  CHECK(e[0].controllers == "name=systemd");
  CHECK(e[0].path == "/a:b c");
  CHECK(e[1].controllers == "cpu,cpuacct");
  CHECK(e[1].path == "/../x");
  CHECK(e[2].hierarchy == 0);
  CHECK(e[2].path == "/user.slice/gone");
  CHECK(e[2].deleted);
  for (const char* bad : {"x\n", "1:\n", "1:a\n", "1:a:b\n", "0::/"}) CHECK_THROWS_AS(parse_cgroup(bad), Error);
}

TEST_CASE("procfs syscall of a thread") {
  auto call = parse_current_call("202 0x7f0010 0x80 0x0 0x7ffe20 0x0 0xffffffff 0x7ffe10 0x7f12a9\n");
  REQUIRE(call);
  CHECK(call->nr == 202);
  CHECK(call->arg == std::array<uint64_t, 6>{0x7f0010, 0x80, 0, 0x7ffe20, 0, 0xffffffff});
  CHECK(call->sp == 0x7ffe10);
  CHECK(call->ip == 0x7f12a9);
  // in a page fault, and a thread of the kernel's
  CHECK(parse_current_call("-1 0x7ffe10 0x7f12a9\n") == CurrentCall{-1, {}, 0x7ffe10, 0x7f12a9});
  CHECK(parse_current_call("426 0x3 0x1 0x0 0x0 0x0 0x0 0x0 0x0\n")->ip == 0);
  CHECK_FALSE(parse_current_call("running\n"));
  for (const char* bad : {"", "running", "x\n", "-1 0x1\n", "1 0x1 0x2\n", "0 0x0 0x0 0x0 0x0 0x0 0x0 0x1 0x2 0x3\n"})
    CHECK_THROWS_AS(parse_current_call(bad), Error);
}

TEST_CASE("procfs files of numbers") {
  CHECK(parse_children("").empty());
  CHECK(parse_children("12 345 ") == std::vector<int32_t>{12, 345});
  CHECK_THROWS_AS(parse_children("12 34"), Error);
  CHECK_THROWS_AS(parse_children("12 x "), Error);
  CHECK(parse_id_map("         0          0 4294967295\n") == std::vector<IdMapping>{{0, 0, 4294967295}});
  CHECK(parse_id_map("0 100000 65536\n65536 1000 1\n").size() == 2);
  CHECK_THROWS_AS(parse_id_map("0 1\n"), Error);
  auto offsets = parse_timens_offsets("monotonic         -86400         0\nboottime            7         999999999\n");
  CHECK(offsets == std::vector<TimensOffset>{{CLOCK_MONOTONIC, -86400, 0}, {CLOCK_BOOTTIME, 7, 999999999}});
  CHECK_THROWS_AS(parse_timens_offsets("realtime 0 0\n"), Error);
  CHECK(parse_number("pid_max", "4194304\n") == 4194304);
  CHECK(parse_numbers("sem", "32000\t1024000000\t500\t32000\n").size() == 4);
  CHECK_THROWS_AS(parse_number("pid_max", "1 2\n"), Error);
  CHECK_THROWS_AS(parse_number("pid_max", "12"), Error);
}

TEST_CASE("procfs links") {
  auto socket = parse_numbered_link("socket:[4711]");
  REQUIRE(socket);
  CHECK(socket->kind == "socket");
  CHECK(socket->ino == 4711);
  CHECK(parse_numbered_link("pid_for_children:[4026531836]")->ino == 4026531836);
  for (const char* no :
       {"/socket:[1]", "socket:1", "socket:[1", "socket:[1]x", "socket:[]", ":[1]", "anon_inode:[eventfd]"})
    CHECK_FALSE(parse_numbered_link(no));
  CHECK(parse_anon_inode("anon_inode:[eventfd]") == "eventfd");
  CHECK(parse_anon_inode("anon_inode:bpf-map") == "bpf-map");
  CHECK_FALSE(parse_anon_inode("/anon_inode:x"));
}

TEST_CASE("procfs reader: this process") {
  ProcDir self(HostPid(::getpid()));
  CHECK(self.alive());
  CHECK(parse_stat(self.read("stat")).pid == ::getpid());
  CHECK(parse_status(self.task(HostPid(::getpid())).read("status")).tgid == ::getpid());
  CHECK_FALSE(parse_maps(self.read("maps")).empty());
  CHECK(aux_value(parse_auxv(self.read("auxv")), AT_PAGESZ) == static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  CHECK(self.numbers("task").front() == ::getpid());
  CHECK(parse_numbered_link(self.link("ns/pid")));
  parse_limits(self.read("limits"));
  parse_cgroup(self.read("cgroup"));
  CHECK_THROWS_AS(self.read("no-such-file"), Error);
  CHECK_FALSE(self.try_read("no-such-file"));
}

TEST_CASE("procfs reader: a task that is gone, also when its pid is taken again") {
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(0);
  ProcDir dir{HostPid(child)};
  siginfo_t si;
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &si, WEXITED) == 0);
  CHECK_FALSE(dir.alive());
  CHECK_FALSE(dir.try_read("stat"));
  try {
    dir.read("stat");
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::target);
  }
  CHECK_THROWS_AS(dir.list("fd"), Error);
}
