#include "engine/restore/tree_namespaces.h"

#include <sched.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/images/namespace_kinds.h"
#include "engine/namespaces/ipc_namespace.h"
#include "engine/namespaces/uts_namespace.h"
#include "mountns/private_proc.h"

namespace nsr {
namespace {

const Logger log("namespaces");
/// Made when the root task is cloned, or with its clocks.
constexpr uint32_t kMadeElsewhere = CLONE_NEWPID | 0x80 /* CLONE_NEWTIME */;
constexpr uint32_t kBuilt = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;

}  // namespace

TreeNamespaces::TreeNamespaces(const ImageDir& images, const ImageSet& set, const RestoreOptions& options)
    : root_is_init_(set.tasks[0].pid == NsPid(1)), images_(images), ids_(set.tasks[0].ids) {
  const pb::task_kobj_ids_entry& home = set.inventory.root_ids();
  for (const NamespaceKind& kind : kNamespaceKinds) {
    uint32_t id = kind.id(ids_);
    // Older images say nothing of these two.
    bool optional = kind.clone_flag == CLONE_NEWNET || kind.clone_flag == CLONE_NEWCGROUP;
    if (id == kind.id(home) || kind.clone_flag & kMadeElsewhere || (optional && (id == 0 || kind.id(home) == 0)))
      continue;
    if (!(kind.clone_flag & kBuilt))
      throw Error(Failure::unsupported, set.tasks[0].object(),
                  format("the images hold a %s namespace of its own, which cannot be made yet", kind.name));
    flags_ |= kind.clone_flag;
  }
  if (!root_is_init_ && ids_.pid_ns_id() != home.pid_ns_id())
    throw Error(Failure::unsupported, set.tasks[0].object(),
                "the images hold its pid namespace without the init of it");
  mounts_proc_ = root_is_init_ && (flags_ & CLONE_NEWNS || options.root_is_init);
}

void TreeNamespaces::enter() {
  if (!flags_) return;
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (flags_ & kind.clone_flag & ~CLONE_NEWNS) home_.push_back(open_namespace("self", kind.name));
  if (flags_ & CLONE_NEWNS) mounts_home_.emplace();
  if (::unshare(static_cast<int>(flags_)))
    throw_errno(Failure::environment, "namespaces of the tree", "they cannot be made", errno,
                errno == EPERM ? "run as root" : "see /proc/sys/user/max_*_namespaces");
  fill();
}

void TreeNamespaces::fill() {
  if (flags_ & CLONE_NEWNS) set_propagation(Propagation::slave);
  if (flags_ & CLONE_NEWUTS) fill_uts_namespace(images_, ids_.uts_ns_id());
  if (flags_ & CLONE_NEWIPC) fill_ipc_namespace(images_, ids_.ipc_ns_id());
  log.info("namespaces of the tree are made (clone flags %x)", flags_);
}

void TreeNamespaces::leave() noexcept {
  mounts_home_.reset();
  // Cannot fail: the descriptors were opened by this process and the privilege was there a moment ago.
  for (const UniqueFd& fd : home_)
    if (::setns(fd.get(), 0)) std::terminate();
  home_.clear();
}

}  // namespace nsr
