#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "engine/base/id_map.h"

using namespace nsr;

TEST_CASE("id maps: without a namespace inside and outside are the same", "[base]") {
  IdMap map;
  CHECK(map.identity());
  CHECK(map.knows(4294967294));
  CHECK(map.inner(1000) == 1000);
  CHECK(map.outer(1000) == 1000);
}

TEST_CASE("id maps: each extent shifts its own ids", "[base]") {
  IdMap map = parse_id_map("         0     100000       1000\n      1000     300000      64536\n", "uid_map");
  REQUIRE(map.extents().size() == 2);
  CHECK(map.inner(100000) == 0);
  CHECK(map.inner(100999) == 999);
  CHECK(map.inner(300000) == 1000);
  CHECK(map.outer(999) == 100999);
  CHECK(map.outer(65535) == 364535);
  CHECK(id_map_text(map) == "0 100000 1000\n1000 300000 64536\n");
}

TEST_CASE("id maps: ids outside of all extents are unknown", "[base]") {
  IdMap map = parse_id_map("0 100000 1000\n", "uid_map");
  CHECK_FALSE(map.knows(0));
  CHECK_FALSE(map.knows(101000));
  CHECK(map.inner(0) == IdMap::kUnknown);
  CHECK(map.outer(1000) == IdMap::kNone);
  // the whole range of ids, whose end does not fit
  CHECK(parse_id_map("0 0 4294967295\n", "uid_map").inner(4294967294) == 4294967294);
}

TEST_CASE("id maps: a namespace without a map knows nobody", "[base]") {
  IdMap map = parse_id_map("", "uid_map");
  CHECK_FALSE(map.identity());
  CHECK_FALSE(map.knows(0));
}

TEST_CASE("id maps: other text is refused", "[base]") {
  CHECK_THROWS_AS(parse_id_map("0 100000\n", "uid_map"), Error);
  CHECK_THROWS_AS(parse_id_map("0 100000 1000", "uid_map"), Error);
}
