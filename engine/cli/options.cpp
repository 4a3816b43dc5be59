#include "engine/cli/options.h"

namespace nsr {

const char* command_name(Command command) {
  switch (command) {
    case Command::dump:
      return "dump";
    case Command::pre_dump:
      return "pre-dump";
    case Command::restore:
      return "restore";
    case Command::lazy_pages:
      return "lazy-pages";
    case Command::check:
      return "check";
    case Command::page_server:
      return "page-server";
    case Command::service:
      return "service";
    case Command::swrk:
      return "swrk";
    case Command::dedup:
      return "dedup";
    case Command::cpuinfo:
      return "cpuinfo";
    case Command::unlock:
      return "unlock";
  }
  return "?";
}

DumpOptions dump_options(const Options& o) {
  DumpOptions d;
  static_cast<RunOptions&>(d) = o.run;
  d.root_pid = HostPid(o.target.tree);
  if (o.target.leave_running) d.final_state = FinalState::run;
  if (o.run.leave_stopped) d.final_state = FinalState::stop;
  d.timeout_seconds = o.target.timeout_seconds;
  d.files = o.files;
  d.track_mem = o.memory.track_mem;
  d.prev_images_dir = o.memory.prev_images_dir;
  d.network_lock = o.network_lock;
  return d;
}

RestoreOptions restore_options(const Options& o) {
  RestoreOptions r;
  static_cast<RunOptions&>(r) = o.run;
  r.files = o.files;
  r.files.own_mounts = o.restore.launcher_fd >= 0;
  r.plan = o.restore.plan;
  r.detached = o.target.detached;
  r.sibling = o.restore.sibling;
  if (o.restore.exec_cmd) r.exec_cmd = o.arguments;
  r.pidfile = o.common.pidfile;
  r.log_pid = o.restore.log_pid;
  r.log_file = o.common.log_file;
  r.join_ns = o.restore.join_ns;
  r.weak_sysctls = o.restore.weak_sysctls;
  r.lsm_profile = o.restore.lsm_profile;
  r.lsm_mount_context = o.restore.lsm_mount_context;
  r.launcher_fd = o.restore.launcher_fd;
  r.terminal_fd = o.restore.terminal_fd;
  r.root_is_init = o.restore.root_is_init;
  return r;
}

}  // namespace nsr
