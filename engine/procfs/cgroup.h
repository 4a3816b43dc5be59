// /proc/PID/cgroup (cgroups(7)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nsr::procfs {

struct CgroupEntry {
  uint32_t hierarchy = 0;   ///< 0: cgroup v2
  std::string controllers;  ///< "cpu,cpuacct" or "name=systemd"; empty for v2
  std::string path;         ///< relative to the root of the reader's cgroup namespace; may start with "/.."
  bool deleted = false;     ///< the path ended in " (deleted)": the cgroup is gone, the (zombie) task still in it
  bool operator==(const CgroupEntry&) const = default;
};

std::vector<CgroupEntry> parse_cgroup(std::string_view text);

}  // namespace nsr::procfs
