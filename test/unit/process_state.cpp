// Seccomp chains and security labels: what needs no live process.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "engine/base/error.h"
#include "engine/process/seccomp.h"
#include "engine/process/security_label.h"
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

  pb::creds_entry creds;
  CHECK(label_to_restore(creds, pb::APPARMOR, "apparmor:other", m, "pid 7").empty());  // unconfined stays so
  creds.set_lsm_profile("web");
  CHECK(label_to_restore(creds, pb::APPARMOR, "", m, "pid 7") == "web");
  CHECK(label_to_restore(creds, pb::APPARMOR, "apparmor:other", m, "pid 7") == "other");
  CHECK_THROWS_AS(label_to_restore(creds, pb::SELINUX, "", m, "pid 7"), Error);
  CHECK(label_to_restore(creds, pb::SELINUX, "apparmor:here", m, "pid 7") == "here");
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
  CHECK(label_to_restore(creds, pb::SELINUX, "", m, "pid 7").empty());  // inherited from the engine

  SecurityModule none(dir.path() + "/nothing", dir.path() + "/nothing");
  CHECK(none.type() == pb::NO_LSM);
  CHECK(none.label(HostPid(7), HostPid(7)).empty());
  CHECK_THROWS_AS(label_to_restore(creds, pb::SELINUX, "", none, "pid 7"), Error);
}
