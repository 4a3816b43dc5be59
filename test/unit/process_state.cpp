// Seccomp chains and security labels: what needs no live process.
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/process/apparmor_policy.h"
#include "engine/process/memory_policy.h"
#include "engine/process/seccomp.h"
#include "engine/process/security_label.h"
#include "engine/process/timer_overruns.h"
#include "engine/process/timer_signals.h"
#include "engine/process/timers.h"
#include "temp_dir.h"

using namespace nsr;
using nsr::test::TempDir;

namespace {

pb::seccomp_entry filters(std::initializer_list<int> prevs) {
  pb::seccomp_entry e;
  for (int prev : prevs) {
    auto* f = e.add_seccomp_filters();
    f->set_filter(std::string(16, 'x'));
    if (prev >= 0) f->set_prev(static_cast<uint32_t>(prev));
  }
  return e;
}

pb::thread_core_entry with_filter(uint32_t last) {
  pb::thread_core_entry t;
  t.set_seccomp_mode(pb::filter);
  t.set_seccomp_filter(last);
  return t;
}

void put(const std::string& path, const std::string& text) {
  for (size_t at = 1; (at = path.find('/', at)) != std::string::npos; at++) ::mkdir(path.substr(0, at).c_str(), 0755);
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("seccomp: a chain is listed oldest first, and hostile ones are refused") {
  auto entry = filters({-1, 0, 1, 1});
  CHECK(seccomp_chain(entry, with_filter(3), "t") == std::vector<uint32_t>{0, 1, 3});
  CHECK(seccomp_chain(entry, pb::thread_core_entry(), "t").empty());
  CHECK_THROWS_AS(seccomp_chain(entry, with_filter(4), "t"), Error);
  CHECK_THROWS_AS(seccomp_chain(filters({1, 0}), with_filter(0), "t"), Error);
  CHECK_THROWS_AS(seccomp_chain(filters({0}), with_filter(0), "t"), Error);
  auto odd = filters({-1});
  odd.mutable_seccomp_filters(0)->set_filter("short");
  CHECK_THROWS_AS(seccomp_chain(odd, with_filter(0), "t"), Error);
  pb::thread_core_entry none;
  none.set_seccomp_mode(pb::filter);
  CHECK_THROWS_AS(seccomp_chain(entry, none, "t"), Error);
}

TEST_CASE("seccomp: what all threads share is inherited from the leader") {
  CHECK(SeccompEmitter::common({{0, 1, 2}, {0, 1}, {0, 1, 3}}) == 2);
  CHECK(SeccompEmitter::common({{0, 1}, {}}) == 0);
  CHECK(SeccompEmitter::common({{0}, {1}}) == 0);
  CHECK(SeccompEmitter::common({{4, 7}}) == 2);
}

TEST_CASE("labels: AppArmor, stacked profiles too, from a made-up attr tree") {
  TempDir dir;
  std::string proc = dir.path() + "/proc", sys = dir.path() + "/sys";
  put(sys + "/module/apparmor/parameters/enabled", "Y\n");
  put(proc + "/self/attr/apparmor/current", "unconfined\n");
  put(proc + "/7/task/7/attr/apparmor/current", "snap.x//&lxd-y (enforce)\n");
  put(proc + "/8/task/8/attr/apparmor/current", "unconfined\n");
  SecurityModule m(proc, sys);
  CHECK(m.type() == pb::APPARMOR);
  CHECK(m.label(HostPid(7), HostPid(7)) == "snap.x//&lxd-y");
  CHECK(m.label(HostPid(8), HostPid(8)).empty());
  CHECK_THROWS_AS(m.label(HostPid(9), HostPid(9)), Error);
  CHECK(m.label_file() == "self/attr/apparmor/current");
  CHECK(m.label_command("a//&b") == "changeprofile a//&b");
  CHECK(m.label_command("") == "changeprofile unconfined");  // a child of a confined process

  pb::creds_entry creds;
  CHECK(label_to_restore(creds, pb::APPARMOR, "apparmor:other", m, "pid 7").empty());  // unconfined stays so
  creds.set_lsm_profile("web");
  CHECK(label_to_restore(creds, pb::APPARMOR, "", m, "pid 7") == "web");
  CHECK(label_to_restore(creds, pb::APPARMOR, "apparmor:other", m, "pid 7") == "other");
  CHECK_THROWS_AS(label_to_restore(creds, pb::SELINUX, "", m, "pid 7"), Error);
  CHECK(label_to_restore(creds, pb::SELINUX, "apparmor:here", m, "pid 7") == "here");
}

TEST_CASE("AppArmor: policies of the namespaces that labels name, nested ones too, from a made-up tree to another") {
  using Names = std::set<std::string>;
  CHECK(policy_namespaces("").empty());
  CHECK(policy_namespaces("web//&firefox").empty());
  CHECK(policy_namespaces(":ct:web") == Names{"ct"});
  CHECK(policy_namespaces(":ct://unconfined") == Names{"ct"});
  CHECK(policy_namespaces("lxd//&:ct//inner:unconfined//&:other:x") == Names{"ct", "other"});

  TempDir from, to;
  const std::string policy = "/kernel/security/apparmor/policy", ct = policy + "/namespaces/ct";
  for (const char* profile : {"web.1", "web-child.2"})
    put(from.path() + ct + "/profiles/" + profile + "/raw_data", "blob");
  put(from.path() + ct + "/profiles/web.1/name", "web\n");
  put(from.path() + ct + "/namespaces/inner/profiles/p.3/raw_data", std::string("\0x", 2));
  put(from.path() + ct + "/namespaces/inner/profiles/p.3/name", "p\n");
  put(from.path() + ct + "/namespaces/inner/profiles/hidden.4/name", "hidden\n");
  auto entry = read_policies({"ct", "gone"}, from.path());
  REQUIRE(entry.namespaces_size() == 1);
  REQUIRE(entry.namespaces(0).policies_size() == 1);
  CHECK(entry.namespaces(0).policies(0).blob() == "blob");
  REQUIRE(entry.namespaces(0).namespaces_size() == 1);
  const auto& inner = entry.namespaces(0).namespaces(0);
  CHECK(inner.name() == "inner");
  REQUIRE(inner.policies_size() == 1);
  CHECK(inner.policies(0).name() == "p");

  // the kernel makes these files with the directory
  put(to.path() + ct + "/.load", "");
  put(to.path() + ct + "/namespaces/inner/.load", "");
  put(to.path() + ct + "/namespaces/inner/profiles/p.9/name", "p\n");
  LoadedPolicies(entry, to.path()).keep();
  CHECK(read_file(to.path() + ct + "/.load") == "blob");
  CHECK(read_file(to.path() + ct + "/namespaces/inner/.load") == "");  // it has that profile
  entry.mutable_namespaces(0)->set_name("new");
  CHECK_THROWS_AS(LoadedPolicies(entry, to.path()), Error);
  CHECK(::access((to.path() + policy + "/namespaces/new").c_str(), F_OK) != 0);  // taken back
  entry.mutable_namespaces(0)->set_name("../x");
  CHECK_THROWS_AS(LoadedPolicies(entry, to.path()), Error);
}

TEST_CASE("labels: SELinux from a made-up attr tree, and a host without any") {
  TempDir dir;
  std::string proc = dir.path() + "/proc", sys = dir.path() + "/sys";
  put(sys + "/fs/selinux/enforce", "1");
  put(proc + "/self/attr/current", std::string("system_u:system_r:init_t:s0\0", 28));
  put(proc + "/7/task/7/attr/current", "system_u:system_r:httpd_t:s0\n");
  put(proc + "/7/task/7/attr/sockcreate", "");
  SecurityModule m(proc, sys);
  CHECK(m.type() == pb::SELINUX);
  CHECK(m.label(HostPid(7), HostPid(7)) == "system_u:system_r:httpd_t:s0");
  CHECK(m.socket_label(HostPid(7), HostPid(7)).empty());
  CHECK(m.own_label() == "system_u:system_r:init_t:s0");
  CHECK(m.label_command("x_t") == "x_t");
  pb::creds_entry creds;
  creds.set_lsm_profile("system_u:system_r:init_t:s0");
  CHECK(label_to_restore(creds, pb::SELINUX, "", m, "pid 7") == m.own_label());
  CHECK(label_to_restore(pb::creds_entry(), pb::SELINUX, "", m, "pid 7") == m.own_label());
  put(proc + "/7/task/8/attr/sockcreate", "system_u:object_r:web_t:s0");
  CHECK(m.socket_label(HostPid(7), HostPid(8)) == "system_u:object_r:web_t:s0");

  SecurityModule none(dir.path() + "/nothing", dir.path() + "/nothing");
  CHECK(none.type() == pb::NO_LSM);
  CHECK(none.label(HostPid(7), HostPid(7)).empty());
  CHECK_THROWS_AS(label_to_restore(creds, pb::SELINUX, "", none, "pid 7"), Error);
}

TEST_CASE("POSIX timer ids on kernels that count: every id on the way is made and deleted, far ones are refused") {
  std::vector<std::byte> memory(1 << 20);
  Arena arena(memory.data(), RemoteAddr(0x1000), memory.size());
  pb::task_timers_entry timers;
  for (uint32_t id : {5u, 2u}) {
    auto* t = timers.add_posix();
    t->set_it_id(id);
    t->set_clock_id(1);
    t->set_si_signo(10);
    t->set_it_sigev_notify(0);
    t->set_sival_ptr(0);
    t->set_overrun(0);
  }
  Program p;
  emit_posix_timers(timers, false, p, arena);
  int made = 0, deleted = 0;
  for (const Record& r : p.records()) {
    made += r.nr == SYS_timer_create;
    deleted += r.nr == SYS_timer_delete;
  }
  CHECK(made == 6);  // 0 1 [2] 3 4 [5]
  CHECK(deleted == 4);
  timers.mutable_posix(0)->set_it_id(kMostTimerIds + 1);
  CHECK_THROWS_AS(emit_posix_timers(timers, false, p, arena), Error);
}

TEST_CASE("Signals of timers leave the queue with their timer, others stay") {
  pb::core_entry leader;
  auto add = [&](int code, int id, int signo, int overrun) {
    siginfo_t si{};
    si.si_signo = signo;
    si.si_code = code;
    si.si_timerid = id;
    si.si_overrun = overrun;
    leader.mutable_tc()->mutable_signals_s()->add_signals()->set_siginfo(&si, sizeof si);
  };
  auto* t = leader.mutable_tc()->mutable_timers()->add_posix();
  t->set_it_id(7);
  t->set_si_signo(SIGUSR1);
  t->set_isec(1);
  t->set_vsec(3);
  add(SI_TIMER, 7, SIGUSR1, 4);
  add(SI_TIMER, 8, SIGUSR1, 4);  // of a timer that is gone
  add(SI_USER, 7, SIGUSR1, 0);
  add(SI_TIMER, 7, SIGUSR1, 2);  // its own again after one that a restore had queued
  auto taken = take_signalled_timers({&leader});
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].pending);
  CHECK(taken[0].overrun == 7);
  CHECK(taken[0].signal.si_overrun == 7);
  CHECK(taken[0].timer.vsec() == 3);
  CHECK(leader.tc().signals_s().signals_size() == 2);
  CHECK(leader.tc().timers().posix(0).vsec() == 0);

  std::vector<siginfo_t> queued(5);
  for (int i = 0; i < 5; i++) {
    queued[i].si_code = i == 1 ? SI_USER : SI_TIMER;
    queued[i].si_timerid = std::array{3, 0, 4, 4, 5}[i];
  }
  note_overruns({{4, {9, 1}}, {5, {2, 0}}}, queued);
  REQUIRE(queued.size() == 4);
  CHECK(queued[0].si_timerid == 3);
  CHECK(queued[1].si_code == SI_USER);
  CHECK(queued[2].si_timerid == 5);
  CHECK(queued[2].si_overrun == 2);
  CHECK(queued[3].si_timerid == 4);
  CHECK(queued[3].si_overrun == 9);
}

TEST_CASE("NUMA nodes are listed as the kernel writes them") {
  CHECK(node_mask("").empty());
  CHECK(node_mask("0\n") == std::string("\x01\0\0\0\0\0\0\0", 8));
  CHECK(node_mask("0-2,9\n") == std::string("\x07\x02\0\0\0\0\0\0", 8));
  CHECK(node_mask("64").size() == 16);
  CHECK(node_mask("5000").empty());
}

TEST_CASE("A policy is set on the nodes that are there, and not at all with none of them") {
  std::vector<std::byte> memory(4096);
  Arena arena(memory.data(), RemoteAddr(0x1000), memory.size());
  pb::nsr_thread_entry ext;
  ext.set_memory_policy(2);
  ext.set_memory_nodes(std::string("\0\0\0\0\0\0\0\x80", 8));
  Program none;
  emit_memory_policy(ext, none, arena);
  CHECK(none.records().empty());
}

TEST_CASE("A local descriptor becomes what modify_ldt(2) takes") {
  // base 0x12345000, limit 0xabcde, data, writable, 32 bit, useable
  CHECK(arch::local_descriptor(3, 0x125af3345000bcde) == std::array<uint32_t, 4>{3, 0x12345000, 0xabcde, 0x41});
  // base 0x1000, limit 15 pages, code, execute only, 16 bit, absent
  CHECK(arch::local_descriptor(5, 0x008078001000000f) == std::array<uint32_t, 4>{5, 0x1000, 15, 0x3c});
}
