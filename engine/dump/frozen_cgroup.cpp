#include "engine/dump/frozen_cgroup.h"

#include <fcntl.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/namespaces/cgroup_hierarchies.h"
#include "engine/procfs/cgroup.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

const Logger log("freeze");

UniqueFd directory(int at, const char* path) {
  return UniqueFd(::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

bool has_freezer(const procfs::CgroupEntry& e) {
  return e.path.size() > 1 && !e.path.starts_with("/..") && !e.deleted &&
         (e.controllers.empty() || ("," + e.controllers + ",").find(",freezer,") != std::string::npos);
}

/// The nearest one that was itself told to freeze: others are only below it.
UniqueFd frozen_by(UniqueFd dir) {
  while (dir && is_frozen(dir.get())) {
    UniqueFd above = directory(dir.get(), "..");
    if (!above || !is_frozen(above.get())) return dir;
    dir = std::move(above);
  }
  return {};
}

}  // namespace

std::unique_ptr<CgroupFreezer> freezer_of(const DumpOptions& options) {
  if (!options.freeze_cgroup.empty()) {
    UniqueFd dir = directory(AT_FDCWD, options.freeze_cgroup.c_str());
    if (!dir)
      throw_errno(Failure::environment, "--freeze-cgroup " + options.freeze_cgroup, "it cannot be opened", errno,
                  "name the directory of a cgroup");
    return std::make_unique<CgroupFreezer>(std::move(dir), options.freeze_cgroup);
  }
  CgroupHierarchies hierarchies(options.cgroups.yard);
  for (const auto& e : procfs::parse_cgroup(procfs::ProcDir(options.root_pid).read("cgroup"))) {
    if (!has_freezer(e)) continue;
    if (UniqueFd frozen = frozen_by(directory(hierarchies.root(e.controllers), e.path.c_str() + 1))) {
      log.info("cgroup %s holds it frozen and is thawed for the dump", e.path.c_str());
      return std::make_unique<CgroupFreezer>(std::move(frozen), e.path);
    }
  }
  return nullptr;
}

}  // namespace nsr
