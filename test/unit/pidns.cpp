#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "pidns/engine_pid.h"
#include "pidns/image_ids.h"
#include "pidns/ns_identity.h"
#include "pidns/ns_pid.h"
#include "pidns/pidfd.h"

using namespace nsr;

namespace {

std::string u32(uint32_t v) {
  std::string s;
  for (int i = 0; i < 4; ++i) s += static_cast<char>(v >> (8 * i));
  return s;
}
std::string varint(uint64_t v) {
  std::string s;
  for (; v >= 0x80; v >>= 7) s += static_cast<char>(v | 0x80);
  return s + static_cast<char>(v);
}
std::string field(unsigned number, uint64_t v) { return varint(number << 3) + varint(v); }
std::string record(const std::string& message) { return u32(static_cast<uint32_t>(message.size())) + message; }
const std::string header = u32(0x54564319) + u32(0x50273030);
std::string entry(uint32_t pid, uint32_t ppid, uint32_t pgid, uint32_t sid) {
  return field(1, pid) + field(2, ppid) + field(3, pgid) + field(4, sid);
}

}  // namespace

TEST_CASE("pidns: NSpid lines") {
  auto one = parse_nspid("Name:\tsleep\nNSpid:\t4711\nNSpgid:\t1\n");
  REQUIRE(one);
  CHECK(one->depth() == 0);
  CHECK(one->outer() == HostPid(4711));
  auto deep = parse_nspid("Name:\tNSpid:\t9\nNStgid:\t1\t2\nNSpid:\t4711\t12\t3\nVmPeak:\t1 kB\n");
  REQUIRE(deep);
  CHECK(deep->outer() == HostPid(4711));
  CHECK(deep->inner() == NsPid(3));
  CHECK(deep->depth() == 2);
  CHECK(parse_ns_ids("NSsid:\t5\t0\n", "NSsid:")->inner() == NsPid(0));
  CHECK_FALSE(parse_nspid(""));
  CHECK_FALSE(parse_nspid("NSpid:\t\n"));
  CHECK_FALSE(parse_nspid("NSpid:\t12\tx\n"));
  CHECK_FALSE(parse_nspid("NSpid:\t99999999999\n"));
}

TEST_CASE("pidns: own chain, identity and pidfd") {
  auto self = HostPid(::getpid());
  auto chain = ns_pid_chain(self);
  REQUIRE(chain);
  CHECK(chain->outer() == self);
  CHECK(ns_identity(self, "pid") == own_ns_identity("pid"));
  CHECK(ns_identity(self, "pid") != ns_identity(self, "mnt"));
  pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  auto handle = Pidfd::open(HostPid(child));
  REQUIRE(handle);
  CHECK(handle->same_task());
  CHECK(handle->open_proc());
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK_FALSE(handle->same_task());
  CHECK_FALSE(handle->open_proc());
  CHECK_FALSE(Pidfd::open(HostPid(child)));
}

TEST_CASE("pidns: names of core images") {
  CHECK(id_of_core_name("core-1.img") == 1);
  CHECK(id_of_core_name("core-4194303.img") == 4194303);
  for (const char* bad : {"core-.img", "core-0.img", "core-1.im", "core-1.img~", "core-99999999.img", "score-1.img",
                          "core-99999999999999999999.img", "core--1.img"})
    CHECK_FALSE(id_of_core_name(bad));
}

TEST_CASE("pidns: ids of pstree.img") {
  std::string file =
      header + record(entry(10, 0, 7, 5) + field(5, 10) + field(5, 11)) +
      record(entry(20, 10, 20, 5) + varint(5 << 3 | 2) + varint(4) + varint(20) + varint(300) + varint(2)) +
      record(entry(30, 10, 20, 5) + varint(77 << 3 | 2) + varint(3) + "abc" + varint(78 << 3 | 5) + "1234" +
             varint(79 << 3 | 1) + "12345678");
  ImageIds ids;
  // 4 bytes of packed threads are 20 (1), 300 (2), 2 (1)
  REQUIRE(add_pstree_ids(file, ids));
  settle(ids);
  CHECK(ids.ids == std::vector<int32_t>{2, 5, 7, 10, 11, 20, 30, 300});
  CHECK_FALSE(ids.root_is_init);
  CHECK(ids.uses(300));
  CHECK_FALSE(ids.uses(6));
  CHECK(ids.highest() == 300);

  ImageIds init;
  REQUIRE(add_pstree_ids(header + record(entry(1, 0, 1, 1)) + record(entry(2, 1, 1, 1)), init));
  CHECK(init.root_is_init);
  ImageIds old;
  CHECK(add_pstree_ids(u32(0x50273030) + record(entry(9, 0, 9, 9)), old));
}

TEST_CASE("pidns: a hostile pstree.img is refused, never overread") {
  std::string file = header + record(entry(10, 0, 7, 5) + field(5, 300));
  ImageIds scratch;
  for (size_t n = 0; n < file.size(); ++n)
    if (n != header.size()) CHECK_FALSE(add_pstree_ids(std::string_view(file).substr(0, n), scratch));
  CHECK_FALSE(add_pstree_ids(u32(0x54564319) + u32(0x12345678), scratch));
  CHECK_FALSE(add_pstree_ids(header + u32(0xffffffff) + "x", scratch));
  CHECK_FALSE(add_pstree_ids(header + record(""), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(2, 1)), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(1, uint64_t(1) << 40)), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(1, 5) + std::string(12, '\xff')), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(1, 5) + varint(9 << 3 | 2) + varint(uint64_t(-1))), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(1, 5) + varint(9 << 3 | 3)), scratch));
  CHECK_FALSE(add_pstree_ids(header + record(field(1, 5) + varint(5 << 3 | 2) + varint(1) + "\x80"), scratch));
}

TEST_CASE("pidns: the engine's pid is free, high, and at the start of a free run") {
  auto choose = [](std::vector<int32_t> used, int32_t max, int32_t run) {
    ImageIds ids{std::move(used)};
    settle(ids);
    auto pid = choose_engine_pid(ids, max, run);
    return pid ? pid->value : -1;
  };
  CHECK(choose({}, 32768, 64) == 32768 - 64);
  CHECK(choose({5, 6, 7}, 32768, 64) == 32768 - 64);
  CHECK(choose({32767}, 32768, 64) == 32767 - 64);
  CHECK(choose({32700}, 32768, 64) == 32704);
  CHECK(choose({32710}, 32768, 64) == 32710 - 64);
  CHECK(choose({40000, 4194303}, 32768, 1) == 32767);
  CHECK(choose({2, 3, 5}, 7, 2) == 6);  // only single ids are left: 4 and 6
  CHECK(choose({2, 3, 4, 6}, 7, 2) == 5);
  CHECK(choose({3, 4, 5, 6}, 7, 1) == 2);
  CHECK(choose({2, 3, 4, 5, 6}, 7, 1) == -1);
}
