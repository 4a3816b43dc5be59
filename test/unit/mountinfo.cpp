#include "engine/procfs/mountinfo.h"

#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "mountns/mount_tree.h"

using namespace nsr;
using namespace nsr::procfs;

TEST_CASE("mountinfo: all fields of a line") {
  auto m = parse_mountinfo_line(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:12 master:1 propagate_from:7 - ext3 /dev/root rw,errors=continue");
  REQUIRE(m);
  CHECK(m->id == 36);
  CHECK(m->parent == 35);
  CHECK(m->major == 98);
  CHECK(m->minor == 0);
  CHECK(m->root == "/mnt1");
  CHECK(m->mountpoint == "/mnt2");
  CHECK(m->options == "rw,noatime");
  CHECK(m->shared == 12);
  CHECK(m->master == 1);
  CHECK(m->propagate_from == 7);
  CHECK_FALSE(m->unbindable);
  CHECK(m->fs_type == "ext3");
  CHECK(m->source == "/dev/root");
  CHECK(m->super_options == "rw,errors=continue");
}

TEST_CASE("mountinfo: no tags, unknown tags, unbindable, empty source, bound namespace file") {
  auto plain = parse_mountinfo_line("22 27 0:21 / /proc rw,relatime - proc proc rw");
  REQUIRE(plain);
  CHECK_FALSE(plain->shared);
  auto odd = parse_mountinfo_line("1 0 0:1 / /x rw unbindable future:thing - fuse.sshfs  rw,user_id=0");
  REQUIRE(odd);
  CHECK(odd->unbindable);
  CHECK(odd->fs_type == "fuse.sshfs");
  CHECK(odd->source.empty());
  auto ns = parse_mountinfo_line("90 24 0:4 net:[4026532180] /run/netns/a rw shared:5 - nsfs nsfs rw");
  REQUIRE(ns);
  CHECK(ns->root == "net:[4026532180]");
}

TEST_CASE("mountinfo: octal escapes") {
  auto m = parse_mountinfo_line(R"(5 1 0:3 / /mnt/a\040b\011c\134d\043e rw - tmpfs what\040ever rw)");
  REQUIRE(m);
  CHECK(m->mountpoint == "/mnt/a b\tc\\d#e");
  CHECK(m->source == "what ever");
  CHECK(unescape_octal("\\04") == "\\04");
  CHECK(unescape_octal("\\049") == "\\049");
  CHECK(unescape_octal("\\777") == "\\777");
}

TEST_CASE("mountinfo: damaged lines are refused") {
  const std::string good = "36 35 98:0 /r /m rw shared:1 - ext3 dev rw";
  CHECK(parse_mountinfo_line(good));
  for (size_t n = 0; n < good.find(" dev"); ++n) CHECK_FALSE(parse_mountinfo_line(good.substr(0, n)));
  CHECK_FALSE(parse_mountinfo_line("36 35 98:0 / /m rw shared:x - ext3 dev rw"));
  CHECK_FALSE(parse_mountinfo_line("36 99999999999 98:0 / /m rw - ext3 dev rw"));
  CHECK_FALSE(parse_mountinfo("36 35 98:0 / /m rw - ext3 dev rw\nrubbish\n"));
  auto two = parse_mountinfo(good + "\n" + good + "\n");
  REQUIRE(two);
  CHECK(two->size() == 2);
}

TEST_CASE("mount tree: root, children, and the mount a path is on") {
  auto lines = parse_mountinfo(
      "1 0 0:1 / / rw - ext4 a rw\n"
      "2 1 0:2 / /mnt rw - tmpfs b rw\n"
      "3 2 0:3 / /mnt/deep rw - tmpfs c rw\n"
      "4 1 0:4 / /mnt rw - tmpfs never rw\n"
      "5 3 0:5 / /mnt/deep rw - tmpfs over rw\n"
      "6 1 0:6 / /mn rw - tmpfs near rw\n");
  REQUIRE(lines);
  MountTree tree(*lines);
  REQUIRE(tree.root());
  CHECK(tree.root()->id == 1);
  CHECK(tree.children(1).size() == 3);
  CHECK(tree.containing("/etc/passwd")->id == 1);
  CHECK(tree.containing("/mnt/x")->id == 2);
  CHECK(tree.containing("/mnt/deep/x")->id == 5);
  CHECK(tree.containing("/mnt/deeper")->id == 2);
  CHECK(tree.containing("/mn")->id == 6);
  CHECK(tree.containing("relative") == nullptr);
  auto twice = *lines;
  twice.push_back(twice[0]);
  CHECK_THROWS_AS(MountTree(twice), Error);
}
