// Everything that the command line, the configuration files and the environment can say, as typed values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/dump/options.h"
#include "engine/restore/options.h"

namespace nsr {

enum class Command { dump, pre_dump, restore, lazy_pages, check, page_server, service, swrk, dedup, cpuinfo, unlock };

struct CommonOptions {
  std::string log_file;  ///< empty = stderr, "-" = stdout; relative to the work directory
  int verbosity = 2;     ///< 0 to 4
  std::string pidfile;
  int status_fd = -1;
  std::vector<int> close;  ///< --close
};

struct TargetOptions {
  int tree = 0;  ///< -t, a host pid; 0 = not given
  bool leave_running = false;
  bool detached = false;  ///< --restore-detached and --daemon
  uint32_t timeout_seconds = 10;
};

struct MemoryOptions {
  bool track_mem = false;
  std::string prev_images_dir;
  bool pre_dump_by_read = false;  ///< --pre-dump-mode read
  bool tls = false;
  bool tls_verify_name = true;
  std::string tls_cacert = "/etc/pki/CA/cacert.pem";
  std::string tls_cacrl = "/etc/pki/CA/cacrl.pem";
  std::string tls_cert = "/etc/pki/criu/cert.pem";
  std::string tls_key = "/etc/pki/criu/private/key.pem";
};

struct RestoreOnlyOptions {
  bool plan = false;
  bool log_pid = false;
  bool sibling = false;
  bool exec_cmd = false;
  std::vector<JoinNamespace> join_ns;
  bool weak_sysctls = false;
  std::string lsm_profile;
  std::string lsm_mount_context;
  int launcher_fd = -1;
  int terminal_fd = -1;
  bool root_is_init = false;
};

struct CheckOptions {
  bool extra = false;
  bool experimental = false;
  std::vector<std::string> features;  ///< --feature, in order
};

struct Options {
  Command command = Command::check;
  std::vector<std::string> arguments;  ///< words behind the command
  std::vector<std::string> given;      ///< canonical text of every option from every source, in order
  CommonOptions common;
  RunOptions run;
  TargetOptions target;
  FileOptions files;
  NetworkLock network_lock = NetworkLock::nftables;
  MemoryOptions memory;
  RestoreOnlyOptions restore;
  CheckOptions check;
};

const char* command_name(Command command);
DumpOptions dump_options(const Options& options);
RestoreOptions restore_options(const Options& options);

}  // namespace nsr
