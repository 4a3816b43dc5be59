#include "engine/restore/tree_namespaces.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/images/namespace_kinds.h"
#include "engine/namespaces/ipc_namespace.h"
#include "engine/namespaces/mount_namespace.h"
#include "engine/namespaces/uts_namespace.h"
#include "mountns/private_proc.h"

namespace nsr {
namespace {

const Logger log("namespaces");
/// Made when the root task is cloned, or with its clocks.
constexpr uint32_t kMadeElsewhere = CLONE_NEWPID | 0x80 /* CLONE_NEWTIME */;
constexpr uint32_t kBuilt = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

/// --external veth[IN]:OUT[@BRIDGE]
std::map<std::string, OuterVeth> outer_veths(const std::vector<std::string>& external) {
  std::map<std::string, OuterVeth> out;
  for (const std::string& text : external) {
    size_t close = text.find("]:");
    if (!text.starts_with("veth[") || close == std::string::npos) continue;
    std::string outer = text.substr(close + 2);
    size_t at = outer.find('@');
    out[text.substr(5, close - 5)] = {outer.substr(0, at), at == std::string::npos ? "" : outer.substr(at + 1)};
  }
  return out;
}

}  // namespace

TreeNamespaces::TreeNamespaces(const ImageDir& images, const ImageSet& set, const RestoreOptions& options)
    : root_is_init_(set.tasks[0].pid == NsPid(1)), images_(images), options_(options), ids_(set.tasks[0].ids) {
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
  find_given();
  mounts_proc_ = root_is_init_ && (flags_ & CLONE_NEWNS || options.root_is_init);
}

/// Namespaces that are there already: named by the user, or given by who started us.
void TreeNamespaces::find_given() {
  auto give = [&](const NamespaceKind& kind, UniqueFd fd) {
    flags_ &= ~kind.clone_flag;
    given_.emplace_back(&kind, std::move(fd));
  };
  for (const NamespaceKind& kind : kNamespaceKinds)
    for (const JoinNamespace& join : options_.join_ns) {
      if (join.kind != kind.name) continue;
      if (!(kind.clone_flag & kBuilt & ~CLONE_NEWNS))
        throw Error(Failure::not_built, "option --join-ns", "is not built yet for " + join.kind + " namespaces");
      UniqueFd fd(::open(join.source.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd)
        throw_errno(Failure::environment, "--join-ns " + join.kind + " " + join.source, "it cannot be opened", errno);
      give(kind, std::move(fd));
    }
  std::string key = flags_ & CLONE_NEWNET ? external_net_key(images_, ids_.net_ns_id()) : "";
  if (key.empty()) return;
  auto fd = options_.files.inherit_fd.find(key);
  if (fd == options_.files.inherit_fd.end())
    throw Error(Failure::usage, "network namespace of the tree", "it was outside of the dump",
                "give it with --inherit-fd 'fd[N]:" + key + "'");
  give(*namespace_kind(CLONE_NEWNET), UniqueFd(::fcntl(fd->second, F_DUPFD_CLOEXEC, 3)));
}

void TreeNamespaces::enter() {
  if (!flags_ && given_.empty()) return;
  uint32_t all = flags_;
  for (const auto& [kind, fd] : given_) all |= kind->clone_flag;
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (all & kind.clone_flag & ~CLONE_NEWNS) home_.push_back(open_namespace("self", kind.name));
  if (flags_ & CLONE_NEWNS) mounts_home_.emplace();
  std::optional<RouteSocket> home_route;
  UniqueFd home_net;
  if (flags_ & CLONE_NEWNET) {
    home_route.emplace();
    home_net = open_namespace("self", "net");
  }
  for (const auto& [kind, fd] : given_)
    if (::setns(fd.get(), static_cast<int>(kind->clone_flag)))
      throw_errno(Failure::environment, std::string(kind->name) + " namespace given for the tree",
                  "it cannot be entered", errno);
  if (::unshare(static_cast<int>(flags_)))
    throw_errno(Failure::environment, "namespaces of the tree", "they cannot be made", errno,
                errno == EPERM ? "run as root" : "see /proc/sys/user/max_*_namespaces");
  NetFill net{{outer_veths(options_.files.external), home_route ? &*home_route : nullptr, home_net.get()},
              options_.weak_sysctls};
  fill(net);
}

void TreeNamespaces::fill(const NetFill& net) {
  if (flags_ & CLONE_NEWNS) {
    set_propagation(Propagation::slave);
    mounts_proc_ = fill_mount_namespace(images_, ids_.mnt_ns_id(), root_is_init_);
  }
  if (flags_ & CLONE_NEWUTS) fill_uts_namespace(images_, ids_.uts_ns_id());
  if (flags_ & CLONE_NEWIPC) fill_ipc_namespace(images_, ids_.ipc_ns_id());
  if (flags_ & CLONE_NEWNET && !options_.empty_netns) fill_net_namespace(images_, ids_.net_ns_id(), net);
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
