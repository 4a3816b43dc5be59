#include <catch2/catch.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "test/unit/samples_status.h"

using namespace nsr;
using namespace nsr::procfs;

namespace {

/// The sample without the lines that start with one of the keys.
std::string without(std::string text, std::initializer_list<std::string> keys) {
  for (const std::string& key : keys) {
    size_t at = text.find("\n" + key + ":");
    REQUIRE(at != std::string::npos);
    text.erase(at + 1, text.find('\n', at + 1) - at);
  }
  return text;
}

std::string with(std::string text, const std::string& key, const std::string& value) {
  size_t at = text.find("\n" + key + ":");
  REQUIRE(at != std::string::npos);
  text.replace(at + 1, text.find('\n', at + 1) - at - 1, key + ":\t" + value);
  return text;
}

}  // namespace

TEST_CASE("procfs status: a captured file") {
  Status s = parse_status(samples::status);
  CHECK(s.name == "a b) R (\\\n");
  CHECK(s.umask == 022u);
  CHECK(s.state == 'R');
  CHECK(s.tgid == 18077);
  CHECK(s.pid == 18077);
  CHECK(s.ppid == 18069);
  CHECK(s.groups.empty());
  CHECK(s.ns_sid == std::vector<int32_t>{3312});
  CHECK_FALSE(s.kthread);
  CHECK(s.has_mm);
  CHECK(s.vm_locked == 4096);
  CHECK(s.threads == 1);
  CHECK(s.sig_queued == 4);
  CHECK(s.sig_queue_limit == 96365);
  CHECK(s.cap_eff == 0x1fffeffffff);
  CHECK(s.no_new_privs == false);
  CHECK(s.seccomp == 0);
  CHECK(s.seccomp_filters == 0u);
  CHECK(s.speculation_store_bypass == "vulnerable");
  CHECK(s.speculation_indirect_branch == "always enabled");
  CHECK(s.cpus_allowed == std::vector<uint32_t>{3});
  CHECK(s.x86_thread_features.empty());
}

TEST_CASE("procfs status: nested namespaces, groups, many CPUs, shadow stack") {
  std::string text = with(samples::status, "NSpid", "18077\t40\t1");
  text = with(text, "Groups", "4 24 4294967294 ");
  text = with(text, "Uid", "1000\t1001\t1002\t4294967295");
  text = with(text, "Cpus_allowed", "0000000f,00000000,ffffffff");
  text = with(text, "SigIgn", "8000000000000001");
  text += "x86_Thread_features:\tshstk wrss \nx86_Thread_features_locked:\tshstk \n";
  Status s = parse_status(text);
  CHECK(s.ns_pid == std::vector<int32_t>{18077, 40, 1});
  CHECK(s.groups == std::vector<uint32_t>{4, 24, 4294967294});
  CHECK(s.uid == std::array<uint32_t, 4>{1000, 1001, 1002, 4294967295});
  CHECK(s.cpus_allowed == std::vector<uint32_t>{0xffffffff, 0, 0xf});
  CHECK(s.sig_ignored == 0x8000000000000001);
  CHECK(s.x86_thread_features == "shstk wrss");
  CHECK(s.x86_thread_features_locked == "shstk");
}

TEST_CASE("procfs status: kernel threads, zombies, older kernels") {
  Status k = parse_status(samples::kthread_status);
  CHECK(k.kthread);
  CHECK_FALSE(k.has_mm);
  Status z = parse_status(samples::zombie_status);
  CHECK(z.state == 'Z');
  CHECK_FALSE(z.has_mm);
  Status old =
      parse_status(without(samples::status, {"Kthread", "Umask", "Seccomp_filters", "THP_enabled", "CoreDumping",
                                             "SpeculationIndirectBranch", "untag_mask", "CapAmb"}));
  CHECK_FALSE(old.umask);
  CHECK_FALSE(old.seccomp_filters);
  CHECK_FALSE(old.thp_enabled);
  CHECK(old.speculation_indirect_branch.empty());
}

TEST_CASE("procfs status: refuses damage") {
  CHECK_THROWS_AS(parse_status(""), Error);
  CHECK_THROWS_AS(parse_status(without(samples::status, {"Uid"})), Error);
  CHECK_THROWS_AS(parse_status(without(samples::status, {"SigBlk"})), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "Uid", "0\t0\t0")), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "Uid", "0\t0\t0\t4294967296")), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "Pid", "2147483648")), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "CapEff", "xyz")), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "State", "")), Error);
  CHECK_THROWS_AS(parse_status(with(samples::status, "NoNewPrivs", "2")), Error);
  std::string text = samples::status;
  CHECK_THROWS_AS(parse_status(text.substr(0, text.size() - 1)), Error);
  CHECK_THROWS_AS(parse_status(text.substr(0, text.size() / 2)), Error);
}

TEST_CASE("procfs stat: a captured file whose name looks like the file") {
  Stat s = parse_stat(samples::stat);
  CHECK(s.pid == 18077);
  CHECK(s.comm == "a b) R (\\\n");
  CHECK(s.state == 'R');
  CHECK(s.ppid == 18069);
  CHECK(s.pgrp == 18069);
  CHECK(s.session == 3312);
  CHECK(s.tty_nr == 0);
  CHECK(s.tpgid == -1);
  CHECK(s.flags == 4194560);
  CHECK(s.minflt == 172);
  CHECK(s.cminflt == 20);
  CHECK(s.priority == 20);
  CHECK(s.num_threads == 1);
  CHECK(s.starttime == 219102);
  CHECK(s.vsize == 5844992);
  CHECK(s.rss == 697);
  CHECK(s.rsslim == UINT64_MAX);
  CHECK(s.start_code == 94512890347520);
  CHECK(s.end_code == 94512890352761);
  CHECK(s.start_stack == 140732706757840);
  CHECK(s.exit_signal == 17);
  CHECK(s.processor == 1);
  CHECK(s.start_data == 94512890363312);
  CHECK(s.end_data == 94512890364336);
  CHECK(s.start_brk == 94513962127360);
  CHECK(s.arg_start == 140732706761378);
  CHECK(s.env_end == 140732706762738);
  CHECK(s.exit_code == 0);
  CHECK(parse_stat(samples::zombie_stat).exit_code == 3 << 8);
}

TEST_CASE("procfs stat: terminal numbers, later fields, damage") {
  Stat s;
  s.tty_nr = 34816 + 5;  // pts/5
  CHECK(s.tty_major() == 136);
  CHECK(s.tty_minor() == 5);
  s.tty_nr = (136 << 8) | (300 & 0xff) | ((300 & ~0xff) << 12);
  CHECK(s.tty_minor() == 300);
  std::string text = samples::stat;
  text.pop_back();
  CHECK_THROWS_AS(parse_stat(text), Error);
  CHECK(parse_stat(text + " 77\n").exit_code == 0);
  CHECK_THROWS_AS(parse_stat(text.substr(0, text.size() - 2) + "\n"), Error);
  for (const char* bad : {"\n", "1\n", "1 (x\n", "1 )x(\n", "1 (x)\n", "1 (x) SS 1\n", "x (x) S 1\n"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_stat(bad), Error);
  }
}
