#include "mountns/mount_order.h"

#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "mountns/mount_options.h"

using namespace nsr;
using Kind = SharingStep::Kind;

namespace {

PlacedMount mount(int id, int parent, std::string at, std::string root = "/") {
  return {id, parent, std::move(at), std::move(root), {}, {}};
}

PlacedMount grouped(int id, std::string root, int shared, int master) {
  PlacedMount m = mount(id, 1, "/m", std::move(root));
  if (shared) m.shared = shared;
  if (master) m.master = master;
  return m;
}

}  // namespace

TEST_CASE(
    "mount options: labels in quotes keep their commas, and another context takes the place of the one there is") {
  using Options = std::vector<MountOption>;
  CHECK(parse_mount_options("").empty());
  CHECK(parse_mount_options("size=64k,,noswap,mode=") ==
        Options{{"size", "64k"}, {"noswap", std::nullopt}, {"mode", ""}});
  const char* text = "context=\"u:r:t:s0:c1,c2\",size=1m,rootcontext=u:r:t";
  CHECK(parse_mount_options(text) == Options{{"context", "u:r:t:s0:c1,c2"}, {"size", "1m"}, {"rootcontext", "u:r:t"}});
  CHECK(parse_mount_options(text, "x:y,z") == Options{{"context", "x:y,z"}, {"size", "1m"}, {"rootcontext", "u:r:t"}});
  CHECK(parse_mount_options("size=1m", "x") == Options{{"size", "1m"}});
  CHECK(parse_mount_options("context=\"open,end") == Options{{"context", "\"open,end"}});
}

TEST_CASE("mounts are put together from the top, what lies deeper before what would cover it") {
  auto order = attach_order({mount(4, 1, "/a"), mount(3, 1, "/a/b"), mount(5, 4, "/a"), mount(1, 9, "/")});
  REQUIRE(order.size() == 4);
  CHECK(order[0].mount == 3);
  CHECK(order[1].mount == 1);
  CHECK(order[1].below == "a/b");
  CHECK(order[2].mount == 0);
  CHECK(order[3].mount == 2);
  CHECK(order[3].parent == 0);
  CHECK(order[3].below.empty());
}

TEST_CASE("mounts that are no tree are refused") {
  CHECK_THROWS_AS(attach_order({}), Error);
  CHECK_THROWS_AS(attach_order({mount(1, 9, "/"), mount(2, 8, "/x")}), Error);
  CHECK_THROWS_AS(attach_order({mount(1, 9, "/"), mount(1, 1, "/x")}), Error);
  CHECK_THROWS_AS(attach_order({mount(1, 9, "/"), mount(2, 3, "/x"), mount(3, 2, "/x")}), Error);
  CHECK_THROWS_AS(attach_order({mount(1, 9, "/"), mount(2, 1, "/x"), mount(3, 2, "/y")}), Error);
}

TEST_CASE("a peer group begins with the mount that shows the most, slaves come after their masters") {
  auto steps = sharing_steps({grouped(2, "/d/e", 7, 0), grouped(3, "/d", 7, 0), grouped(4, "/d", 8, 7)});
  REQUIRE(steps.size() == 5);
  CHECK((steps[0].kind == Kind::share && steps[0].mount == 1));
  CHECK((steps[1].kind == Kind::join && steps[1].mount == 0 && steps[1].other == 1));
  CHECK((steps[2].kind == Kind::join && steps[2].mount == 2 && steps[2].other == 1));
  CHECK((steps[3].kind == Kind::slave && steps[3].mount == 2));
  CHECK((steps[4].kind == Kind::share && steps[4].mount == 2));
}

TEST_CASE("masters outside of the tree are no step, groups in a circle are an error") {
  std::vector<PlacedMount> mounts = {grouped(2, "/", 0, 5)};
  CHECK(sharing_steps(mounts).empty());
  CHECK(has_outer_master(mounts, mounts[0]));
  CHECK_THROWS_AS(sharing_steps({grouped(2, "/", 5, 6), grouped(3, "/", 6, 5)}), Error);
}

TEST_CASE("paths below a directory") {
  CHECK(path_below("/", "/x/y") == "x/y");
  CHECK(path_below("/x", "/x") == "");
  CHECK(path_below("/x", "/x/y") == "y");
  CHECK_FALSE(path_below("/x", "/xy"));
}
