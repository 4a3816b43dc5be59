#include "engine/namespaces/cgroup_selection.h"

#include <algorithm>

#include "engine/base/error.h"

namespace nsr {
namespace {

struct Row {
  const char* controller;
  const char* name;
};
// In the order in which they can be set: a child's files appear by cgroup.subtree_control, and cpuset needs CPUs and
// nodes before anything else; a memory+swap limit may not be below the memory limit.
constexpr Row kV1[] = {
    {"", "cgroup.clone_children"},
    {"", "notify_on_release"},
    {"", "cgroup.procs"},
    {"", "tasks"},
    {"cpuset", "cpuset.cpus"},
    {"cpuset", "cpuset.mems"},
    {"cpuset", "cpuset.memory_migrate"},
    {"cpuset", "cpuset.cpu_exclusive"},
    {"cpuset", "cpuset.mem_exclusive"},
    {"cpuset", "cpuset.mem_hardwall"},
    {"cpuset", "cpuset.memory_spread_page"},
    {"cpuset", "cpuset.memory_spread_slab"},
    {"cpuset", "cpuset.sched_load_balance"},
    {"cpuset", "cpuset.sched_relax_domain_level"},
    {"cpu", "cpu.shares"},
    {"cpu", "cpu.cfs_period_us"},
    {"cpu", "cpu.cfs_quota_us"},
    {"cpu", "cpu.cfs_burst_us"},
    {"cpu", "cpu.idle"},
    {"cpu", "cpu.rt_period_us"},
    {"cpu", "cpu.rt_runtime_us"},
    {"memory", "memory.limit_in_bytes"},
    {"memory", "memory.memsw.limit_in_bytes"},
    {"memory", "memory.soft_limit_in_bytes"},
    {"memory", "memory.swappiness"},
    {"memory", "memory.oom_control"},
    {"memory", "memory.move_charge_at_immigrate"},
    {"memory", "memory.kmem.tcp.limit_in_bytes"},
    {"blkio", "blkio.weight"},
    {"blkio", "blkio.bfq.weight"},
    {"blkio", "blkio.throttle.read_bps_device"},
    {"blkio", "blkio.throttle.write_bps_device"},
    {"blkio", "blkio.throttle.read_iops_device"},
    {"blkio", "blkio.throttle.write_iops_device"},
    {"devices", "devices.list"},
    {"hugetlb", "hugetlb.2MB.limit_in_bytes"},
    {"hugetlb", "hugetlb.1GB.limit_in_bytes"},
    {"hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes"},
    {"hugetlb", "hugetlb.1GB.rsvd.limit_in_bytes"},
    {"rdma", "rdma.max"},
    {"misc", "misc.max"},
    {"pids", "pids.max"},
    {"net_cls", "net_cls.classid"},
    {"net_prio", "net_prio.ifpriomap"},
};
constexpr const char* kV2[] = {
    "cgroup.type",
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.subtree_control",
    "cgroup.pressure",
    "cgroup.max.descendants",
    "cgroup.max.depth",
    "cpuset.cpus",
    "cpuset.mems",
    "cpu.weight",
    "cpu.idle",
    "cpu.max",
    "cpu.max.burst",
    "cpu.uclamp.min",
    "cpu.uclamp.max",
    "memory.min",
    "memory.low",
    "memory.high",
    "memory.max",
    "memory.swap.high",
    "memory.swap.max",
    "memory.zswap.max",
    "memory.zswap.writeback",
    "memory.oom.group",
    "io.weight",
    "io.bfq.weight",
    "io.latency",
    "io.max",
    "pids.max",
    "hugetlb.2MB.max",
    "hugetlb.1GB.max",
    "hugetlb.2MB.rsvd.max",
    "hugetlb.1GB.rsvd.max",
    "rdma.max",
    "misc.max",
};
constexpr const char* kAllOfV2 = "cgroup2";

/// controllers: "cpu,cpuacct".
bool is_of(const std::string& controllers, const std::string& wanted) {
  return wanted.empty() ||
         format(",%s,", controllers.c_str()).find(format(",%s,", wanted.c_str())) != std::string::npos;
}

/// One line without blanks at its ends, its `- ` and its comment.
struct Line {
  int number;
  bool item;  ///< began with "- "
  std::string text;
};

std::string trimmed(const std::string& text) {
  size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

std::string unquoted(const std::string& text) {
  std::string t = trimmed(text);
  bool quoted = t.size() >= 2 && (t.front() == '"' || t.front() == '\'') && t.back() == t.front();
  return quoted ? t.substr(1, t.size() - 2) : t;
}

std::vector<Line> lines_of(std::string text) {
  for (size_t at = 0; (at = text.find("\\n", at)) != std::string::npos;) text.erase(at, 1)[at] = '\n';
  std::vector<Line> out;
  int number = 0;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string line = trimmed(text.substr(at, end - at));
    number++;
    at = end + 1;
    if (line.empty() || line[0] == '#' || line == "---") continue;
    bool item = line == "-" || line.starts_with("- ");
    out.push_back({number, item, item ? trimmed(line.substr(1)) : line});
  }
  return out;
}

/// "key: value" with the key unquoted; false when there is no key.
bool key_value(const std::string& line, std::string& key, std::string& value) {
  size_t colon = line[0] == '"' || line[0] == '\'' ? line.find(':', line.find(line[0], 1)) : line.find(':');
  if (colon == std::string::npos) return false;
  key = unquoted(line.substr(0, colon));
  value = trimmed(line.substr(colon + 1));
  return true;
}

std::vector<std::string> flow_list(const std::string& value) {
  std::vector<std::string> out;
  std::string inside = value.substr(1, value.size() - 2);
  for (size_t at = 0; at <= inside.size();) {
    size_t comma = std::min(inside.find(',', at), inside.size());
    if (std::string name = unquoted(inside.substr(at, comma - at)); !name.empty()) out.push_back(name);
    at = comma + 1;
  }
  return out;
}

}  // namespace

CgroupSelection::CgroupSelection() {
  for (const Row& r : kV1) v1_.push_back({r.controller, r.name});
  for (const char* name : kV2) v2_.push_back({kAllOfV2, name});
}

void CgroupSelection::change(const std::string& yaml, const std::string& source) {
  std::string controller;
  bool replace = false, in_properties = false;
  std::vector<std::string> properties;
  auto finish = [&] {
    if (!controller.empty()) change(controller, replace, properties);
    replace = in_properties = false;
    properties.clear();
  };
  for (const Line& line : lines_of(yaml)) {
    auto bad = [&](const std::string& cause) {
      return Error(Failure::usage, format("%s line %d", source.c_str(), line.number), cause,
                   "the manual page shows the form");
    };
    std::string key, value;
    bool pair = key_value(line.text, key, value);
    if (pair && value.empty() && key != "properties") {
      finish();
      controller = key;
    } else if (controller.empty()) {
      throw bad("it stands before the name of a controller");
    } else if (pair && key == "strategy") {
      replace = unquoted(value) == "replace";
      if (!replace && unquoted(value) != "merge") throw bad("the strategy is neither replace nor merge");
    } else if (pair && key == "properties") {
      in_properties = value.empty();
      if (!in_properties && !(value.size() >= 2 && value.front() == '[' && value.back() == ']'))
        throw bad("the properties are no list in brackets");
      if (!in_properties) properties = flow_list(value);
    } else if (in_properties && line.item && !pair) {
      properties.push_back(unquoted(line.text));
    } else {
      throw bad("it is neither a strategy nor a list of properties");
    }
    for (const std::string& p : properties)
      if (p.find('/') != std::string::npos) throw bad("\"" + p + "\" is no name of a file in a cgroup");
  }
  finish();
}

void CgroupSelection::change(const std::string& controller, bool replace, const std::vector<std::string>& properties) {
  auto in_v2 = [&](const std::string& name) { return controller == kAllOfV2 || name.starts_with(controller + "."); };
  if (replace) {
    std::erase_if(v1_, [&](const Property& p) { return p.controller == controller; });
    std::erase_if(v2_, [&](const Property& p) { return in_v2(p.name); });
  }
  auto add = [](std::vector<Property>& list, const std::string& of, const std::string& name) {
    bool there = std::any_of(list.begin(), list.end(), [&](const Property& p) { return p.name == name; });
    if (!there) list.push_back({of, name});
  };
  for (const std::string& name : properties) {
    if (controller != kAllOfV2) add(v1_, controller, name);
    if (in_v2(name)) add(v2_, kAllOfV2, name);
  }
}

std::vector<std::string> CgroupSelection::names(const std::string& controllers) const {
  std::vector<std::string> out;
  for (const Property& p : controllers.empty() ? v2_ : v1_)
    if (controllers.empty() || is_of(controllers, p.controller)) out.push_back(p.name);
  return out;
}

}  // namespace nsr
