#include "engine/restore/tree_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
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
constexpr uint32_t kBuilt = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER;
constexpr uint32_t kJoinable = CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

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

/// What a process does for the engine, which shares its descriptor table.
Caller caller_of(BornRoot* process) {
  if (!process) return self_caller();
  return {
      [process](long nr, const std::array<uint64_t, 5>& a) { return process->call(nr, a[0], a[1], a[2], a[3], a[4]); },
      [process](const std::string& text) { return process->arena().put_string(text).value; }};
}

/// Gives a new user namespace its maps. Its first process is a stranger in it until it takes ids that are mapped.
UniqueFd found_user_namespace(const UserNamespace& users, BornRoot& member) {
  map_users(users, member.pid());
  if (!users.setgroups_denied) member.call(SYS_setgroups, 0, 0);
  member.call(SYS_setresgid, 0, 0, 0);
  member.call(SYS_setresuid, 0, 0, 0);
  if (long r = member.call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
    throw_errno(Failure::environment, "root task", "making it dumpable failed", static_cast<int>(-r));
  return open_namespace(std::to_string(member.pid().value), "user");
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
  if (own_user()) users_ = load_user_namespace(images, ids_.user_ns_id());
  find_given();
  proc_last_ = root_is_init_ && !(flags_ & CLONE_NEWNS) && options.root_is_init;
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
      if (!(kind.clone_flag & kJoinable))
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

uint64_t TreeNamespaces::birth_flags() const {
  if (!root_is_init_) return 0;
  if (!own_user()) return flags_ | kNewPid;
  return root_is_member() ? (flags_ & ~users_.outer_namespaces) | kNewPid : kNewPid;
}

std::optional<std::vector<uint32_t>> TreeNamespaces::birth_groups() const {
  if (!users_.setgroups_denied) return {};
  return users_.outer_groups;
}

UserSettings TreeNamespaces::user_settings(const std::function<int(UniqueFd)>& keep) const {
  UserSettings out{own_user(), users_.setgroups_denied, -1};
  if (own_user() && !root_is_member())
    out.to_enter = keep(UniqueFd(::fcntl(user_namespace_.get(), F_DUPFD_CLOEXEC, 3)));
  return out;
}

void TreeNamespaces::prepare(SharedArea& area) {
  leave_home();
  for (const auto& [kind, fd] : given_)
    if (::setns(fd.get(), static_cast<int>(kind->clone_flag)))
      throw_errno(Failure::environment, std::string(kind->name) + " namespace given for the tree",
                  "it cannot be entered", errno);
  if (!own_user()) return;
  unshare(flags_ & users_.outer_namespaces & kBuilt);
  if (!root_is_member()) make_keeper(area);
}

/// Remembers the way back, and takes what is only there.
void TreeNamespaces::leave_home() {
  uint32_t all = flags_;
  for (const auto& [kind, fd] : given_) all |= kind->clone_flag;
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (all & kind.clone_flag & ~(CLONE_NEWNS | CLONE_NEWUSER)) home_.push_back(open_namespace("self", kind.name));
  if (flags_ & CLONE_NEWNET) {
    home_route_.emplace();
    home_net_ = open_namespace("self", "net");
  }
  if (!(flags_ & CLONE_NEWNS)) return;
  own_proc_ = clone_mount(AT_FDCWD, "/proc", true);
  set_propagation_of(own_proc_.get(), MS_PRIVATE, "/proc");
  if (!options_.root.empty() || has_own_root(images_, ids_.mnt_ns_id()))
    own_root_.emplace(images_, ids_.mnt_ns_id(), OwnRoot::Places{options_.root, options_.files.external});
}

void TreeNamespaces::unshare(uint32_t flags) {
  if (flags & CLONE_NEWNS) mounts_home_.emplace();
  if (flags && ::unshare(static_cast<int>(flags)))
    throw_errno(Failure::environment, "namespaces of the tree", "they cannot be made", errno,
                errno == EPERM ? "run as root" : "see /proc/sys/user/max_*_namespaces");
}

void TreeNamespaces::make_keeper(SharedArea& area) {
  BornRoot::Birth birth;
  birth.namespaces = flags_ & ~users_.outer_namespaces;
  birth.shares_table = true;
  keeper_.emplace(area, birth);
  user_namespace_ = found_user_namespace(users_, *keeper_);
  follow(*keeper_, flags_ & ~users_.outer_namespaces);
}

void TreeNamespaces::enter(BornRoot* root) {
  UniqueFd pids = root ? open_namespace(std::to_string(root->pid().value), "pid") : UniqueFd();
  if (own_user()) {
    if (root_is_member()) {
      user_namespace_ = found_user_namespace(users_, *root);
      follow(*root, flags_ & ~users_.outer_namespaces);
    }
  } else if (root) {
    follow(*root, flags_);
  } else {
    unshare(flags_);
  }
  if (flags_) fill(root);
  if (root) children_.emplace(pids);
  keeper_.reset();
}

/// The mounts come last: with them goes the /proc that leads to the others.
void TreeNamespaces::follow(const BornRoot& member, uint32_t flags) {
  const std::string pid = std::to_string(member.pid().value);
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (flags & kind.clone_flag & ~(CLONE_NEWNS | CLONE_NEWUSER))
      if (UniqueFd fd = open_namespace(pid, kind.name); ::setns(fd.get(), static_cast<int>(kind.clone_flag)))
        throw_errno(Failure::environment, std::string(kind.name) + " namespace of the tree", "it cannot be entered",
                    errno);
  if (flags & CLONE_NEWNS) mounts_home_.emplace(open_namespace(pid, "mnt"));
}

void TreeNamespaces::fill(BornRoot* root) {
  if (flags_ & CLONE_NEWUTS) fill_uts_namespace(images_, ids_.uts_ns_id());
  if (flags_ & CLONE_NEWNET && !options_.empty_netns) {
    NetFill net{{outer_veths(options_.files.external), &*home_route_, home_net_.get()}, options_.weak_sysctls};
    fill_net_namespace(images_, ids_.net_ns_id(), net);
  }
  {
    ActsAs root_user = as_its_root();
    if (flags_ & CLONE_NEWIPC) fill_ipc_namespace(images_, ids_.ipc_ns_id(), users());
    if (flags_ & CLONE_NEWNS) fill_mounts(root);
  }
  log.info("namespaces of the tree are made (clone flags %x)", flags_);
}

void TreeNamespaces::fill_mounts(BornRoot* root) {
  BornRoot* member = keeper_ ? &*keeper_ : own_user() ? root : nullptr;
  MountMakers makers{{caller_of(root), caller_of(member)}, user_namespace_.get(), options_.lsm_mount_context};
  if (own_root_) {
    own_root_->build(makers);
  } else {
    set_propagation(Propagation::slave);
    fill_mount_namespace(images_, ids_.mnt_ns_id(), makers);
  }
  cover_proc();
}

/// The engine goes on needing a /proc that shows it.
void TreeNamespaces::cover_proc() {
  if (read_link("/proc/self") == format("%d", ::getpid())) return;
  tree_proc_ = UniqueFd(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!tree_proc_)
    throw_errno(Failure::environment, "/proc of the tree", "it cannot be opened", errno,
                "make the directory in its root directory");
  attach_mount(own_proc_.get(), tree_proc_.get(), "", "/proc of the engine");
}

void TreeNamespaces::finish(BornRoot& root) {
  if (!proc_last_) return;
  RemoteAddr type = root.arena().put_string("proc");
  long r = root.call(SYS_mount, type, root.arena().put_string("/proc"), type, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
  if (r) throw_errno(Failure::environment, "/proc of the tree", "it cannot be mounted", static_cast<int>(-r));
}

void TreeNamespaces::leave() noexcept {
  keeper_.reset();
  children_.reset();
  if (tree_proc_ && ::umount2("/proc", MNT_DETACH)) log.error("/proc of the engine stays mounted in the tree: %m");
  tree_proc_.reset();
  mounts_home_.reset();
  // Cannot fail: the descriptors were opened by this process and the privilege was there a moment ago.
  for (const UniqueFd& fd : home_)
    if (::setns(fd.get(), 0)) std::terminate();
  home_.clear();
}

}  // namespace nsr
