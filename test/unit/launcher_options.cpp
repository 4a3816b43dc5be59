#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "ns-launcher/option_table.h"
#include "ns-launcher/options.h"

using namespace nsr;
using namespace nsr::launcher;
using Words = std::vector<std::string>;

TEST_CASE("launcher options: every spelling of the images directory is read and passed untouched") {
  for (const Words& words : {Words{"-D", "dir"}, Words{"-Ddir"}, Words{"--images-dir", "dir"},
                             Words{"--images-dir=dir"}, Words{"--im=dir"}, Words{"--images", "dir"}}) {
    Options o = parse_options(words);
    CHECK(o.images_dir == "dir");
    CHECK(o.engine_arguments == words);
    CHECK(o.files_dir() == "dir");
  }
  CHECK(parse_options({"-vjD"}).images_dir == ".");  // "jD" is the argument of -v
  CHECK(parse_options({"-jD", "dir"}).images_dir == "dir");
}

TEST_CASE("launcher options: what is ours never reaches the engine") {
  Options o = parse_options({"restore", "-dj", "--pidfile", "p", "--ns-pidfile=n", "--propagation", "private",
                             "--engine", "/e", "-djv4", "--restore-d", "-D", "x", "-d"});
  CHECK(o.detached);
  CHECK(o.shell_job);
  CHECK(o.pidfile == "p");
  CHECK(o.ns_pidfile == "n");
  CHECK(o.propagation == Propagation::private_);
  CHECK(o.engine == "/e");
  CHECK(o.engine_arguments == Words{"-j", "-jv4", "-D", "x"});
}

TEST_CASE("launcher options: a value is never taken for an option") {
  Options o =
      parse_options({"-o", "-d", "--log-file", "--pidfile", "--external", "restore", "restore", "-W", "--help"});
  CHECK_FALSE(o.detached);
  CHECK_FALSE(o.help);
  CHECK(o.pidfile.empty());
  CHECK(o.work_dir == "--help");
  CHECK(o.engine_arguments == Words{"-o", "-d", "--log-file", "--pidfile", "--external", "restore", "-W", "--help"});
  CHECK(parse_options({"-odj"}).detached == false);
  CHECK(parse_options({"--manage-cgroups", "-d"}).detached);  // optional arguments only with =
  CHECK(parse_options({"--root", "-d"}).detached == false);
}

TEST_CASE("launcher options: negation, the later setting wins") {
  CHECK_FALSE(parse_options({"-d", "--no-restore-detached"}).detached);
  CHECK(parse_options({"--no-restore-detached", "-d"}).detached);
  Options o = parse_options({"-j", "--no-shell-job"});
  CHECK_FALSE(o.shell_job);
  CHECK(o.engine_arguments == Words{"-j", "--no-shell-job"});
}

TEST_CASE("launcher options: prefixes") {
  CHECK(find_long("restore-d").rule->meaning == Meaning::detached);
  CHECK(find_long("no-restore-det").negated);
  CHECK(find_long("restore").rule == nullptr);  // restore-detached, restore-sibling
  CHECK(find_long("tls").rule->name == "tls");
  CHECK(find_long("daem").rule->meaning == Meaning::detached);
  CHECK(find_long("nonsense").rule == nullptr);
  CHECK(parse_options({"--restore", "restore"}).engine_arguments.front() == "--restore");
}

TEST_CASE("launcher options: the rest of the line behind -- is the engine's") {
  Options o = parse_options({"--exec-cmd", "restore", "--", "-d", "restore"});
  CHECK_FALSE(o.detached);
  CHECK(o.engine_arguments == Words{"--exec-cmd", "--", "-d", "restore"});
}

TEST_CASE("launcher options: slips") {
  CHECK_THROWS_AS(parse_options({"dump", "-t", "1"}), Error);
  CHECK_THROWS_AS(parse_options({"--pidfile"}), Error);
  CHECK_THROWS_AS(parse_options({"--restore-detached=yes"}), Error);
  CHECK_THROWS_AS(parse_options({"--propagation", "shared"}), Error);
  CHECK(parse_options({"-D"}).engine_arguments == Words{"-D"});  // the engine complains
  CHECK(parse_options({"--version", "--bogus", "dump"}).version);
  CHECK(parse_options({"-V", "--bogus", "-h"}).help);
}
