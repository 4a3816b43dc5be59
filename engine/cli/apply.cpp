#include "engine/cli/apply.h"

#include <algorithm>
#include <climits>
#include <map>

#include "engine/cli/usage_error.h"
#include "engine/cli/values.h"

namespace nsr {
namespace {

using Switches = std::map<std::string, bool& (*)(Options&)>;
using Texts = std::map<std::string, std::string& (*)(Options&)>;
using Lists = std::map<std::string, std::vector<std::string>& (*)(Options&)>;
using Actions = std::map<std::string, void (*)(const std::string& value, Options&)>;

#define NSR_FIELD(name, type, member)                  \
  {                                                    \
    name, [](Options& o) -> type& { return o.member; } \
  }

const Switches& switches() {
  static const Switches table = {
      NSR_FIELD("log-pid", bool, restore.log_pid),
      NSR_FIELD("display-stats", bool, run.display_stats),
      NSR_FIELD("unprivileged", bool, run.unprivileged),
      NSR_FIELD("deprecated", bool, run.deprecated),
      NSR_FIELD("stream", bool, run.stream),
      NSR_FIELD("leave-running", bool, target.leave_running),
      NSR_FIELD("leave-stopped", bool, run.leave_stopped),
      NSR_FIELD("restore-detached", bool, target.detached),
      NSR_FIELD("daemon", bool, target.detached),
      NSR_FIELD("restore-sibling", bool, restore.sibling),
      NSR_FIELD("exec-cmd", bool, restore.exec_cmd),
      NSR_FIELD("shell-job", bool, files.shell_job),
      NSR_FIELD("plan", bool, restore.plan),
      NSR_FIELD("track-mem", bool, memory.track_mem),
      NSR_FIELD("auto-dedup", bool, run.auto_dedup),
      NSR_FIELD("page-server", bool, run.page_server.enabled),
      NSR_FIELD("lazy-pages", bool, run.lazy_pages),
      NSR_FIELD("tls", bool, memory.tls),
      NSR_FIELD("tcp-established", bool, files.tcp_established),
      NSR_FIELD("skip-in-flight", bool, files.skip_in_flight),
      NSR_FIELD("tcp-close", bool, files.tcp_close),
      NSR_FIELD("link-remap", bool, files.link_remap),
      NSR_FIELD("ghost-fiemap", bool, files.ghost_fiemap),
      NSR_FIELD("file-locks", bool, files.file_locks),
      NSR_FIELD("evasive-devices", bool, files.evasive_devices),
      NSR_FIELD("force-irmap", bool, files.force_irmap),
      NSR_FIELD("skip-file-rwx-check", bool, files.skip_file_rwx_check),
      NSR_FIELD("enable-external-sharing", bool, run.mounts.external_sharing),
      NSR_FIELD("enable-external-masters", bool, run.mounts.external_masters),
      NSR_FIELD("mntns-compat-mode", bool, run.mounts.compat_mode),
      NSR_FIELD("allow-uprobes", bool, run.allow_uprobes),
      NSR_FIELD("weak-sysctls", bool, restore.weak_sysctls),
      NSR_FIELD("extra", bool, check.extra),
      NSR_FIELD("experimental", bool, check.experimental),
      NSR_FIELD("root-is-init", bool, restore.root_is_init),
  };
  return table;
}

const Texts& texts() {
  static const Texts table = {
      NSR_FIELD("images-dir", std::string, run.images_dir),
      NSR_FIELD("work-dir", std::string, run.work_dir),
      NSR_FIELD("log-file", std::string, common.log_file),
      NSR_FIELD("pidfile", std::string, common.pidfile),
      NSR_FIELD("libdir", std::string, run.libdir),
      NSR_FIELD("freeze-cgroup", std::string, run.freeze_cgroup),
      NSR_FIELD("prev-images-dir", std::string, memory.prev_images_dir),
      NSR_FIELD("address", std::string, run.page_server.address),
      NSR_FIELD("tls-cacert", std::string, memory.tls_cacert),
      NSR_FIELD("tls-cacrl", std::string, memory.tls_cacrl),
      NSR_FIELD("tls-cert", std::string, memory.tls_cert),
      NSR_FIELD("tls-key", std::string, memory.tls_key),
      NSR_FIELD("root", std::string, run.root),
      NSR_FIELD("cgroup-props", std::string, run.cgroups.props),
      NSR_FIELD("cgroup-props-file", std::string, run.cgroups.props_file),
      NSR_FIELD("cgroup-yard", std::string, run.cgroups.yard),
      NSR_FIELD("lsm-profile", std::string, restore.lsm_profile),
      NSR_FIELD("lsm-mount-context", std::string, restore.lsm_mount_context),
  };
  return table;
}

const Lists& lists() {
  using Strings = std::vector<std::string>;
  static const Lists table = {
      NSR_FIELD("action-script", Strings, run.action_scripts),
      NSR_FIELD("irmap-scan-path", Strings, files.irmap_scan_paths),
      NSR_FIELD("external", Strings, files.external),
      NSR_FIELD("skip-mnt", Strings, run.mounts.skip),
      NSR_FIELD("cgroup-dump-controller", Strings, run.cgroups.dump_controllers),
      NSR_FIELD("feature", Strings, check.features),
  };
  return table;
}

int fd_value(const char* option, const std::string& v) { return static_cast<int>(number_value(option, v, 0, INT_MAX)); }

void set_external_unix(const std::string& v, Options& o) {
  o.files.ext_unix_sk = true;
  for (const std::string& item : comma_list(v))
    o.files.ext_unix_inodes.insert(static_cast<uint32_t>(number_value("ext-unix-sk", item, 1, UINT32_MAX)));
}

void set_validation(const std::string& v, Options& o) {
  if (v != "filesize" && v != "buildid" && v != "none")
    throw UsageError("option --file-validation", "cannot take \"" + v + "\"", "give filesize, buildid or none");
  o.files.validate_build_id = v == "buildid";
  o.files.validate_size = v != "none";
}

void set_pre_dump_mode(const std::string& v, Options& o) {
  if (v != "splice" && v != "read")
    throw UsageError("option --pre-dump-mode", "cannot take \"" + v + "\"", "give splice or read", false);
  o.memory.pre_dump_by_read = v == "read";
}

void set_empty_ns(const std::string& v, Options& o) {
  if (v != "net") throw UsageError("option --empty-ns", "cannot take \"" + v + "\"", "only net can be empty", false);
  o.run.empty_netns = true;
}

void set_veth_pair(const std::string& v, Options& o) {
  size_t eq = v.find('=');
  if (eq == v.npos || eq == 0)
    throw UsageError("option --veth-pair", "cannot take \"" + v + "\"", "write IN=OUT", false);
  o.files.external.push_back("veth[" + v.substr(0, eq) + "]:" + v.substr(eq + 1));
}

void set_lsm_profile(const std::string& v, Options& o) {
  if (!v.starts_with("apparmor:") && !v.starts_with("selinux:"))
    throw UsageError("option --lsm-profile", "cannot take \"" + v + "\"", "write apparmor:NAME or selinux:LABEL",
                     false);
  o.restore.lsm_profile = v;
}

const Actions& actions() {
  static const Actions table = {
      {"verbosity", [](auto& v, Options& o) { o.common.verbosity = verbosity_value(v, o.common.verbosity); }},
      {"status-fd", [](auto& v, Options& o) { o.common.status_fd = fd_value("status-fd", v); }},
      {"close", [](auto& v, Options& o) { o.common.close.push_back(fd_value("close", v)); }},
      {"tree", [](auto& v, Options& o) { o.target.tree = static_cast<int>(number_value("tree", v, 1, INT_MAX)); }},
      {"timeout",
       [](auto& v, Options& o) {
         o.target.timeout_seconds = static_cast<uint32_t>(number_value("timeout", v, 0, UINT32_MAX));
       }},
      {"pre-dump-mode", set_pre_dump_mode},
      {"port",
       [](auto& v, Options& o) { o.run.page_server.port = static_cast<uint16_t>(number_value("port", v, 1, 65535)); }},
      {"ps-socket", [](auto& v, Options& o) { o.run.page_server.socket = fd_value("ps-socket", v); }},
      {"inherit-fd",
       [](auto& v, Options& o) {
         auto [key, fd] = inherit_fd_value(v);
         o.files.inherit_fd[key] = fd;
       }},
      {"ext-unix-sk", set_external_unix},
      {"network-lock", [](auto& v, Options& o) { o.network_lock = network_lock_value(v); }},
      {"ghost-limit", [](auto& v, Options& o) { o.files.ghost_limit = size_value("ghost-limit", v); }},
      {"file-validation", set_validation},
      {"ext-mount-map", [](auto& v, Options& o) { o.files.external.push_back(external_of_mount_map(v)); }},
      {"enable-fs",
       [](auto& v, Options& o) {
         for (const std::string& fs : comma_list(v)) o.run.mounts.enable_fs.push_back(fs);
       }},
      {"join-ns", [](auto& v, Options& o) { o.restore.join_ns.push_back(join_ns_value(v)); }},
      {"empty-ns", set_empty_ns},
      {"veth-pair", set_veth_pair},
      {"manage-cgroups",
       [](auto& v, Options& o) {
         o.run.cgroups.mode = cgroup_mode_value(v);
         o.run.cgroups.mode_given = true;
       }},
      {"cgroup-root", [](auto& v, Options& o) { o.run.cgroups.roots.push_back(cgroup_root_value(v)); }},
      {"cpu-cap",
       [](auto& v, Options& o) {
         o.run.cpu_cap = {cpu_cap_value(v), true};
       }},
      {"lsm-profile", set_lsm_profile},
      {"all", [](auto&, Options& o) { o.check.extra = o.check.experimental = true; }},
      {"launcher-fd", [](auto& v, Options& o) { o.restore.launcher_fd = fd_value("launcher-fd", v); }},
      {"terminal-fd", [](auto& v, Options& o) { o.restore.terminal_fd = fd_value("terminal-fd", v); }},
      {"ms", [](auto&, Options&) { throw UsageError("option --ms", "no longer exists", "use --feature NAME", false); }},
      {"config", [](auto&, Options&) {}},  // the three below act before anything is applied
      {"no-default-config", [](auto&, Options&) {}},
      {"help", [](auto&, Options&) {}},
      {"version", [](auto&, Options&) {}},
  };
  return table;
}

#undef NSR_FIELD

}  // namespace

void apply_option(const std::string& name, bool on, const std::string& value, Options& options) {
  if (name == "tls-no-cn-verify") {
    options.memory.tls_verify_name = !on;
  } else if (auto action = actions().find(name); action != actions().end()) {
    action->second(value, options);
  } else if (auto flag = switches().find(name); flag != switches().end()) {
    flag->second(options) = on;
  } else if (auto text = texts().find(name); text != texts().end()) {
    text->second(options) = value;
  } else if (auto list = lists().find(name); list != lists().end()) {
    list->second(options).push_back(value);
  } else {
    throw Error(Failure::internal, "option --" + name, "has no effect in engine/cli/apply.cpp");
  }
}

}  // namespace nsr
