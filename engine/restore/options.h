// What a restore is asked to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/descriptors/options.h"

namespace nsr {

/// --join-ns NS:PID or NS:FILE[,EXTRA]
struct JoinNamespace {
  std::string kind;    ///< net, uts, time, ipc, user or mnt
  std::string source;  ///< path of the namespace file; "/proc/PID/ns/KIND" when a pid was given
  std::string extra;   ///< "UID,GID" for user
};

/// files.shell_job, files.external and their kin hold everything that open files and sockets need.
struct RestoreOptions : RunOptions {
  FileOptions files;
  bool plan = false;                  ///< print the steps, do nothing
  bool detached = false;              ///< -d: return when the tree runs
  bool sibling = false;               ///< -S: the root becomes a child of the engine's parent; only with detached
  std::vector<std::string> exec_cmd;  ///< becomes the parent of the tree after the restore; empty = none
  std::string pidfile;                ///< relative to the work directory; an existing file is an error
  bool log_pid = false;               ///< each restored task logs to FILE.<pid>
  std::string log_file;               ///< the FILE of log_pid
  std::vector<JoinNamespace> join_ns;
  bool weak_sysctls = false;
  std::string lsm_profile;  ///< TYPE:NAME; empty = from the images
  std::string lsm_mount_context;
  int launcher_fd = -1;       ///< ours: channel to ns-restore; -1 = none
  int terminal_fd = -1;       ///< ours: socket to ns-restore, which takes the master of a terminal there; -1 = none
  bool root_is_init = false;  ///< ours: the root of the images is pid 1 of the namespace being filled
};

}  // namespace nsr
