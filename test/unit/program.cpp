#include "engine/trace/program.h"

#include <catch2/catch.hpp>
#include <vector>

#include "engine/base/error.h"

using namespace nsr;

namespace {

constexpr uint64_t kRemote = 0x7f0000000000;

struct Area {
  alignas(64) std::byte bytes[8192];
  Arena arena{bytes, RemoteAddr(kRemote), sizeof bytes};
  Area() { std::memset(bytes, 0xee, sizeof bytes); }
};

/// What the stub does with a result (arch/x86_64/stub.S): it lands in the record and, if the record has a distance,
/// there too.
void deliver(Record* records, size_t i, int64_t result) {
  records[i].result = result;
  int32_t distance = records[i].control & ~7;
  if (distance) std::memcpy(reinterpret_cast<std::byte*>(&records[i].result) + distance, &result, sizeof result);
}

}  // namespace

TEST_CASE("trace: program feeds a result into any argument of any later record") {
  for (size_t to = 1; to < 5; to++) {
    for (unsigned arg = 0; arg < 6; arg++) {
      Area area;
      Program p;
      for (int i = 0; i < 5; i++) p.call(100 + i, 1, 2, 3, 4, 5, 6);
      p.feed(0, to, arg);
      Record* records = area.arena.local<Record>(p.store(area.arena));
      deliver(records, 0, 4242);
      for (size_t i = 1; i < 5; i++)
        for (unsigned a = 0; a < 6; a++) {
          INFO("record " << i << " argument " << a << " fed " << to << "." << arg);
          CHECK(records[i].arg[a] == (i == to && a == arg ? 4242u : a + 1));
        }
    }
  }
}

TEST_CASE("trace: feeding keeps the leave to fail") {
  Program p;
  p.allow(1);
  p.call(2);
  CHECK((p.at(0).control & 7) == 1);
  CHECK((p.at(1).control & 7) == 0);
  p.feed(0, 1, 5);
  CHECK((p.at(0).control & 7) == 1);
  p.feed(0, 1, 0);  // the later feed counts
  CHECK(p.at(0).control == (64 - 48) + 1);
}

TEST_CASE("trace: program arguments keep their sign and width") {
  Program p;
  p.call(9, -1, 0xffffffffu, RemoteAddr(UINT64_MAX), NsPid(-7), static_cast<const void*>(nullptr));
  const Record& r = p.records()[0];
  CHECK(r.nr == 9);
  CHECK(r.arg[0] == UINT64_MAX);
  CHECK(r.arg[1] == 0xffffffffu);
  CHECK(r.arg[2] == UINT64_MAX);
  CHECK(static_cast<int64_t>(r.arg[3]) == -7);
  CHECK(r.arg[4] == 0);
  CHECK(r.arg[5] == 0);
  CHECK(r.result == kNotRun);
}

TEST_CASE("trace: stored programs end in a trap or in a jump") {
  Area area;
  Program second;
  second.call(2);
  RemoteAddr next = second.store(area.arena);
  Program first;
  first.call(1);
  RemoteAddr at = first.store_then(area.arena, next);
  CHECK(at.value % 64 == 0);
  const Record* records = area.arena.local<Record>(at);
  CHECK(records[0].nr == 1);
  CHECK(records[1].nr == kJump);
  CHECK(records[1].arg[0] == next.value);
  CHECK(area.arena.local<Record>(next)[1].nr == kEndProgram);
}

TEST_CASE("trace: notes belong to the record that they follow") {
  Program p;
  p.call(1);
  p.note("map 7f00-7f10");
  p.call(2);
  CHECK(p.note_of(0) == "map 7f00-7f10");
  CHECK(p.note_of(1).empty());
}

TEST_CASE("trace: arena gives aligned zeroed room and says when it is full") {
  Area area;
  RemoteAddr text = area.arena.put_string("/proc/self");
  CHECK(std::string(reinterpret_cast<const char*>(area.arena.local(text))) == "/proc/self");
  RemoteAddr room = area.arena.alloc(100, 64);
  CHECK(room.value % 64 == 0);
  for (int i = 0; i < 100; i++) CHECK(area.arena.local(room)[i] == std::byte{0});
  size_t used = area.arena.used();
  CHECK_THROWS_AS(area.arena.alloc(area.arena.size()), Error);
  CHECK(area.arena.used() == used);
  CHECK_NOTHROW(area.arena.alloc(area.arena.size() - used, 1));
  CHECK_THROWS_AS(area.arena.alloc(1, 1), Error);
}
