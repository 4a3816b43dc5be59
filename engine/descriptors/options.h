// Command line options that matter to open files and sockets, decoded once by engine/cli.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nsr {

struct FileOptions {
  bool shell_job = false;
  bool own_mounts = false;  ///< the mount namespace was made for this tree: mounting in it changes nothing for others
  bool tcp_established = false;
  bool tcp_close = false;
  bool skip_in_flight = false;
  bool file_locks = false;
  bool link_remap = false;
  bool ext_unix_sk = false;
  bool evasive_devices = false;
  bool skip_file_rwx_check = false;
  bool force_irmap = false;
  std::vector<std::string> irmap_scan_paths;
  /// Bytes of allocated blocks of a deleted file. Not given: 1 MiB, and any number on tmpfs.
  std::optional<uint64_t> ghost_limit;
  bool ghost_fiemap = true;
  bool validate_build_id = true;          ///< --file-validation buildid (default) or filesize
  bool validate_size = true;              ///< false: --file-validation none (ours): changed sizes only warned of
  std::vector<std::string> external;      ///< --external texts in the order given; the last one wins
  std::map<std::string, int> inherit_fd;  ///< --inherit-fd: key -> descriptor number in the engine
  std::set<uint32_t> ext_unix_inodes;     ///< inodes named with -x
};

}  // namespace nsr
