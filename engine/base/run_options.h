// Options that a dump and a restore have in common, decoded once by engine/cli (or engine/rpc) and handed down as plain
// values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nsr {

/// What is done with the cgroups of the tree (--manage-cgroups).
enum class CgroupMode { ignore, none, props, soft, full, strict };

/// How the network of the tree is held still while it is dumped (--network-lock).
enum class NetworkLock { iptables, nftables, skip };

/// --cgroup-root [CTL:]PATH. An empty controller stands for all of them.
struct CgroupRoot {
  std::string controller;
  std::string path;
};

struct CgroupOptions {
  CgroupMode mode = CgroupMode::soft;
  bool mode_given = false;
  std::vector<CgroupRoot> roots;
  std::string props;  ///< YAML text
  std::string props_file;
  std::vector<std::string> dump_controllers;  ///< empty = all
  std::string yard;                           ///< directory with ready cgroup mounts; empty = own mounts
};

/// --cpu-cap as the bit mask that the RPC protocol uses.
struct CpuCap {
  enum : uint32_t { none = 0, fpu = 1, cpu = 2, ins = 4, image = 8, all = fpu | cpu | ins | image };
  uint32_t mask = fpu | ins;
  bool given = false;  ///< dump writes and restore requires cpuinfo.img
};

/// Where pages are sent to or fetched from (--page-server, --address, --port, --ps-socket).
struct PageServerOptions {
  bool enabled = false;
  std::string address;  ///< empty = any address (server)
  uint16_t port = 0;    ///< 0 = not given
  int socket = -1;      ///< connected socket handed in, or -1
};

struct MountOptions {
  std::vector<std::string> skip;       ///< --skip-mnt, mount points as the container sees them
  std::vector<std::string> enable_fs;  ///< file system names, or "all"
  bool external_sharing = false;
  bool external_masters = false;
  bool compat_mode = false;  ///< --mntns-compat-mode
};

struct RunOptions {
  std::string images_dir = ".";
  std::string work_dir;        ///< empty = images_dir; the current directory once main() has started
  bool leave_stopped = false;  ///< -s: the tree is left in state T
  bool auto_dedup = false;
  bool lazy_pages = false;
  PageServerOptions page_server;
  CgroupOptions cgroups;
  CpuCap cpu_cap;
  MountOptions mounts;
  std::string freeze_cgroup;                ///< path of a cgroup that holds the whole tree; empty = seize one by one
  std::string root;                         ///< -r; empty = /
  std::string libdir;                       ///< plug-in directory (-L, $CRIU_LIBS_DIR)
  std::vector<std::string> action_scripts;  ///< in the order given; run_scripts() runs the last one first
  bool empty_netns = false;                 ///< --empty-ns net
  bool allow_uprobes = false;
  bool display_stats = false;
  bool unprivileged = false;
  bool deprecated = false;  ///< accept image types that are no longer written
  bool stream = false;      ///< images through an image streamer
};

}  // namespace nsr
