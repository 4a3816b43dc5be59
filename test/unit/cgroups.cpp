// Which properties of cgroups are saved, and every --manage-cgroups mode on plain directories in place of hierarchies.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/namespaces/cgroup_properties.h"
#include "engine/namespaces/cgroup_restorer.h"
#include "engine/namespaces/cgroup_selection.h"
#include "temp_dir.h"

using namespace nsr;
using nsr::test::TempDir;

namespace {

using Names = std::vector<std::string>;

bool has(const Names& names, const char* name) { return std::count(names.begin(), names.end(), name) == 1; }

Names changed(const std::string& yaml, const std::string& controllers) {
  CgroupSelection s;
  s.change(yaml, "test");
  return s.names(controllers);
}

/// A yard with one v1 hierarchy "cpu" and the v2 one; a cgroup of each may exist already.
struct Yard {
  TempDir dir;
  CgroupOptions options;
  Yard() {
    ::mkdir((dir.path() + "/cpu").c_str(), 0755);
    ::mkdir((dir.path() + "/unified").c_str(), 0755);
    options.yard = dir.path();
  }
  void exists(const std::string& path, const std::string& property, const std::string& value) {
    std::string group = dir.path() + path;
    ::mkdir(group.c_str(), 0755);
    std::ofstream(group + "/" + property) << value << "\n";
    std::ofstream(group + "/cgroup.procs") << "";
    std::ofstream(group + "/tasks") << "";
  }
  std::string read(const std::string& path) { return read_file(dir.path() + path).value_or("nothing"); }
  bool has(const std::string& path) { return ::access((dir.path() + path).c_str(), F_OK) == 0; }
};

pb::cgroup_entry image(const std::string& controller, const std::string& path, const char* property,
                       const char* value) {
  pb::cgroup_entry e;
  pb::cg_set_entry& set = *e.add_sets();
  set.set_id(2);
  pb::cg_member_entry& m = *set.add_ctls();
  m.set_name(controller);
  m.set_path(path);
  pb::cg_controller_entry& c = *e.add_controllers();
  c.add_cnames(controller);
  pb::cgroup_dir_entry& d = *c.add_dirs();
  d.set_dir_name(path);
  pb::cgroup_prop_entry& p = *d.add_properties();
  p.set_name(property);
  p.set_value(value);
  return e;
}

}  // namespace

TEST_CASE("cgroups: the built-in properties go by controller") {
  CgroupSelection s;
  CHECK(has(s.names("cpu,cpuacct"), "cpu.shares"));
  CHECK(has(s.names("cpu,cpuacct"), "notify_on_release"));
  CHECK_FALSE(has(s.names("cpu"), "memory.limit_in_bytes"));
  CHECK(has(s.names(""), "memory.max"));
  CHECK_FALSE(has(s.names(""), "cpu.shares"));
}

TEST_CASE("cgroups: --cgroup-props merges and replaces") {
  const std::string merge =
      "\"cpu\":\n  - \"strategy\": \"merge\"\n  - \"properties\": [\"cpu.uclamp.min\", \"cpu.shares\"]\n";
  CHECK(has(changed(merge, "cpu"), "cpu.uclamp.min"));
  CHECK(has(changed(merge, "cpu"), "cpu.shares"));
  CHECK(has(changed(merge, "cpu"), "cpu.cfs_quota_us"));
  const std::string replace =
      "cpu:\\n- strategy: replace\\n- properties: [cpu.shares]  \\nmemory:\\n  - properties:\\n"
      "    - memory.oom_control\\n";
  CHECK(has(changed(replace, "cpu"), "cpu.shares"));
  CHECK_FALSE(has(changed(replace, "cpu"), "cpu.cfs_quota_us"));
  CHECK(has(changed(replace, "memory"), "memory.oom_control"));
  CHECK(has(changed(replace, "memory"), "memory.limit_in_bytes"));
  CHECK_FALSE(has(changed(replace, ""), "cpu.max"));  // the controller's files of v2 too
  CHECK(changed("cgroup2:\n- strategy: replace\n- properties: [\"pids.max\"]", "") == Names{"pids.max"});
}

TEST_CASE("cgroups: bad --cgroup-props name the line") {
  for (const char* text : {"- strategy: merge", "cpu:\n- strategy: swap", "cpu:\n- properties: cpu.shares",
                           "cpu:\n- properties: [\"../x\"]", "cpu:\n- what"})
    CHECK_THROWS_AS(changed(text, "cpu"), Error);
  try {
    changed("cpu:\n\n# a comment\n- strategy: swap", "cpu");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("line 4") != std::string::npos);
  }
}

TEST_CASE("cgroups: modes for a cgroup that is there") {
  for (const char* controller : {"cpu", ""}) {
    std::string top = *controller ? "/cpu" : "/unified";
    auto prepare = [&](CgroupMode mode) {
      Yard y;
      y.exists(top + "/g", "cpu.shares", "100");
      y.options.mode = mode;
      CgroupRestorer r(y.options, image(controller, "/g", "cpu.shares", "555"), 1);
      r.prepare();
      return y.read(top + "/g/cpu.shares");
    };
    CHECK(prepare(CgroupMode::ignore) == "100\n");
    CHECK(prepare(CgroupMode::none) == "100\n");
    CHECK(prepare(CgroupMode::soft) == "100\n");
    CHECK(prepare(CgroupMode::props).starts_with("555"));
    CHECK(prepare(CgroupMode::full).starts_with("555"));
    CHECK_THROWS_AS(prepare(CgroupMode::strict), Error);
  }
}

TEST_CASE("cgroups: modes for a cgroup that is gone, and what a failed restore leaves") {
  for (CgroupMode mode :
       {CgroupMode::none, CgroupMode::props, CgroupMode::soft, CgroupMode::full, CgroupMode::strict}) {
    Yard y;
    y.options.mode = mode;
    bool makes = mode != CgroupMode::none && mode != CgroupMode::props;
    {
      CgroupRestorer r(y.options, image("cpu", "/a/b", "cpu.shares", "555"), 1);
      if (makes)
        r.prepare();
      else
        CHECK_THROWS_AS(r.prepare(), Error);
      CHECK(y.has("/cpu/a/b") == makes);
    }
    CHECK_FALSE(y.has("/cpu/a"));
    CgroupRestorer kept(y.options, image("cpu", "/a/b", "cpu.shares", "555"), 1);
    if (!makes) continue;
    kept.prepare();
    kept.keep();
  }
}

TEST_CASE("cgroups: the root takes the place of the topmost cgroup, members are written") {
  Yard y;
  y.options.roots = {{"", "/all"}, {"cpu", "/moved/"}};
  pb::cgroup_entry e = image("cpu", "/old/tree/g", "cpu.shares", "1");
  pb::cgroup_dir_entry& other = *e.mutable_controllers(0)->add_dirs();
  other.set_dir_name("/old/tree/other");
  ::mkdir((y.dir.path() + "/cpu/moved").c_str(), 0755);
  y.exists("/cpu/moved/g", "cpu.shares", "1");
  CgroupRestorer r(y.options, e, 1);
  r.prepare();
  CHECK(y.has("/cpu/moved/other"));
  CHECK(r.moves(2));
  CHECK_FALSE(r.moves(1));
  CHECK_THROWS_AS(r.moves(3), Error);
  r.move(0, 2, HostPid(4711), false);
  CHECK(y.read("/cpu/moved/g/cgroup.procs") == "4711");
  r.move(0, 2, HostPid(4712), true);
  CHECK(y.read("/cpu/moved/g/tasks") == "4712");
}

TEST_CASE("cgroups: impossible images are refused") {
  Yard y;
  CHECK_THROWS_AS(CgroupRestorer(y.options, image("cpu", "/../etc", "x", "1"), 1), Error);
  y.options.mode = CgroupMode::full;
  CgroupRestorer slash(y.options, image("cpu", "/g", "../x", "1"), 1);
  CHECK_THROWS_AS(slash.prepare(), Error);
}

TEST_CASE("cgroups: files that are written otherwise than they are read") {
  Yard y;
  y.exists("/cpu/g", "devices.list", "a *:* rwm");
  std::string group = y.dir.path() + "/cpu/g/";
  for (const char* name : {"devices.allow", "devices.deny", "memory.oom_control", "cgroup.subtree_control"})
    std::ofstream(group + name) << "";
  std::ofstream(group + "pids.max") << "max\n";
  pb::cgroup_dir_entry e;
  for (auto [name, value] : {std::pair("devices.list", "c 1:3 rwm"),
                             {"memory.oom_control", "oom_kill_disable 1\nunder_oom 0"},
                             {"cgroup.subtree_control", "cpu pids"},
                             {"cgroup.procs", "1"},
                             {"pids.max", "7"}}) {
    pb::cgroup_prop_entry& p = *e.add_properties();
    p.set_name(name);
    p.set_value(value);
  }
  UniqueFd fd(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  apply_properties(fd.get(), "g", e);
  CHECK(y.read("/cpu/g/devices.deny") == "a");
  CHECK(y.read("/cpu/g/devices.allow") == "c 1:3 rwm");
  CHECK(y.read("/cpu/g/memory.oom_control") == "1");
  CHECK(y.read("/cpu/g/cgroup.subtree_control") == "+cpu +pids");
  CHECK(y.read("/cpu/g/cgroup.procs").empty());
  CHECK(y.read("/cpu/g/pids.max") == "max\n");
  CHECK(has_limits(e));
  apply_limits(fd.get(), "g", e);
  CHECK(y.read("/cpu/g/pids.max").starts_with("7"));
}

TEST_CASE("cgroups: named properties are saved with their owners, absent ones are not") {
  Yard y;
  y.exists("/cpu/g", "cpu.shares", "77");
  UniqueFd fd(::open((y.dir.path() + "/cpu/g").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  pb::cgroup_dir_entry e;
  collect_properties(fd.get(), {"cpu.shares", "cpu.none"}, e);
  REQUIRE(e.properties_size() == 1);
  CHECK(e.properties(0).value() == "77");
  CHECK(e.properties(0).has_perms());
  CHECK(e.dir_perms().mode() == 0755);
}
