// Options against the command and against each other.
#include <string>

#include "engine/cli/parse.h"

namespace nsr {
namespace {

bool is_dump(const Options& o) { return o.command == Command::dump || o.command == Command::pre_dump; }

void check_target(const Options& o) {
  if (is_dump(o) && o.target.tree == 0)
    throw UsageError(std::string("command ") + command_name(o.command), "needs a process", "name it with -t PID",
                     false);
  if (o.command == Command::pre_dump && o.run.lazy_pages)
    throw UsageError("pre-dump", "cannot be combined with --lazy-pages", {}, false);
}

void check_restore(const Options& o) {
  if (o.command != Command::restore) return;
  if (o.restore.sibling && !o.target.detached)
    throw UsageError("option --restore-sibling", "makes no sense without --restore-detached", "add -d", false);
  if (o.restore.exec_cmd && o.target.detached)
    throw UsageError("option --exec-cmd", "contradicts --restore-detached", "leave -d out", false);
  if (o.run.empty_netns)
    for (const JoinNamespace& join : o.restore.join_ns)
      if (join.kind == "net") throw UsageError("option --empty-ns net", "contradicts --join-ns net", {}, false);
}

void check_restore_only(const Options& o) {
  if (o.command == Command::restore || o.command == Command::swrk || o.command == Command::service) return;
  if (!o.files.inherit_fd.empty())
    throw UsageError("option --inherit-fd", "only means something to restore", {}, false);
  if (o.run.mounts.compat_mode)
    throw UsageError("option --mntns-compat-mode", "only means something to restore", {}, false);
}

void check_stream(const Options& o) {
  bool takes_stream = is_dump(o) || o.command == Command::restore || o.command == Command::cpuinfo;
  if (o.run.stream && !takes_stream)
    throw UsageError("option --stream", std::string("means nothing to ") + command_name(o.command));
}

}  // namespace

void check_combination(const Options& options) {
  check_target(options);
  check_restore(options);
  check_restore_only(options);
  check_stream(options);
}

}  // namespace nsr
