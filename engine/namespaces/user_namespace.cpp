#include "engine/namespaces/user_namespace.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/images/namespace_kinds.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"
#include "nsr-user.pb.h"
#include "pidns/in_namespace.h"
#include "userns.pb.h"

namespace nsr {
namespace {

using Extents = google::protobuf::RepeatedPtrField<pb::uid_gid_extent>;

bool same_inode(const UniqueFd& a, const UniqueFd& b) {
  struct stat sa {
  }, sb{};
  return ::fstat(a.get(), &sa) == 0 && ::fstat(b.get(), &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

void put(const IdMap& map, Extents* out) {
  for (const IdMap::Extent& from : map.extents()) {
    pb::uid_gid_extent& e = *out->Add();
    e.set_first(from.inner);
    e.set_lower_first(from.outer);
    e.set_count(from.count);
  }
}

IdMap map_of(const Extents& in) {
  std::vector<IdMap::Extent> extents;
  for (const auto& e : in) extents.push_back({e.first(), e.lower_first(), e.count()});
  return IdMap(std::move(extents));
}

IdMap read_map(HostPid pid, const char* name) {
  procfs::ProcDir dir(pid);
  return parse_id_map(dir.read(name), format("pid %d %s", pid.value, name));
}

/// Those of the tree's own namespaces that do not belong to its user namespace.
uint32_t outer_namespaces(const std::string& task, const UniqueFd& theirs, const UniqueFd& ours, uint32_t own_flags) {
  uint32_t outer = 0;
  for (const NamespaceKind& kind : kNamespaceKinds) {
    if (!(own_flags & kind.clone_flag) || kind.clone_flag == CLONE_NEWUSER) continue;
    UniqueFd fd = open_namespace(task, kind.name);
    if (owned_by(fd, theirs)) continue;
    if (!owned_by(fd, ours))
      throw Error(
          Failure::unsupported, "pid " + task,
          format("its %s namespace belongs to a user namespace that is neither its own nor the engine's", kind.name),
          "run the engine in that user namespace");
    outer |= kind.clone_flag;
  }
  return outer;
}

void write_map(HostPid member, const char* name, const std::string& text) {
  std::string path = format("/proc/%d/%s", member.value, name);
  if (!text.empty() && !write_file(path, text))
    throw_errno(Failure::environment, "user namespace of the tree", path + " cannot be written", errno,
                "the ids must be mapped where the engine runs");
}

/// capabilities(7): what is effective goes with the user id 0, what is permitted stays while the real id is that. A
/// change of ids makes a process undumpable, and its /proc another's (proc(5)).
void take_effective_ids(uint32_t uid, uint32_t gid) {
  if ((uid == IdMap::kNone || uid == ::geteuid()) && (gid == IdMap::kNone || gid == ::getegid())) return;
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  ::setresgid(IdMap::kNone, gid, IdMap::kNone);
  ::setresuid(IdMap::kNone, uid, IdMap::kNone);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) == 0) {
    for (auto& word : data) word.effective = word.permitted;
    ::syscall(SYS_capset, &header, data);
  }
  ::prctl(PR_SET_DUMPABLE, dumpable);
}

}  // namespace

UserMap user_map_of(HostPid pid) { return {read_map(pid, "uid_map"), read_map(pid, "gid_map")}; }

bool owned_by(const UniqueFd& namespace_fd, const UniqueFd& user_namespace) {
  UniqueFd owner(::ioctl(namespace_fd.get(), NS_GET_USERNS));
  return owner && same_inode(owner, user_namespace);
}

uint32_t dump_user_namespace(ImageDir& images, uint64_t id, HostPid root_task, const UserMap& map, uint32_t own_flags) {
  const std::string task = std::to_string(root_task.value);
  UniqueFd theirs = open_namespace(task, "user"), ours = open_namespace("self", "user");
  // of a user namespace the owner is its parent
  if (!owned_by(theirs, ours))
    throw Error(Failure::unsupported, "pid " + task, "its user namespace lies in another one that is not the engine's",
                "run the engine in the user namespace above it");
  pb::userns_entry e;
  put(map.uids, e.mutable_uid_map());
  put(map.gids, e.mutable_gid_map());
  pb::nsr_user_entry ext;
  procfs::ProcDir dir(root_task);
  if (dir.try_read("setgroups").value_or("").starts_with("deny")) {
    ext.set_setgroups_denied(true);
    for (uint32_t group : procfs::parse_status(dir.read("status")).groups) ext.add_outer_groups(group);
  }
  ext.set_outer_namespaces(outer_namespaces(task, theirs, ours, own_flags));
  images.create(Img::userns, id).write(e);
  images.create(Img::user_ext, id).write(ext);
  return ext.outer_namespaces();
}

UserNamespace load_user_namespace(const ImageDir& images, uint64_t id) {
  auto e = images.one<pb::userns_entry>(Img::userns, id);
  UserNamespace out;
  out.map = {map_of(e.uid_map()), map_of(e.gid_map())};
  if (!images.has(Img::user_ext, id)) return out;
  auto ext = images.one<pb::nsr_user_entry>(Img::user_ext, id);
  out.setgroups_denied = ext.setgroups_denied();
  out.outer_groups.assign(ext.outer_groups().begin(), ext.outer_groups().end());
  out.outer_namespaces = ext.outer_namespaces();
  return out;
}

void map_users(const UserNamespace& wanted, HostPid member) {
  // before the map of groups, after which it could not be changed
  if (wanted.setgroups_denied) write_map(member, "setgroups", "deny");
  write_map(member, "uid_map", id_map_text(wanted.map.uids));
  write_map(member, "gid_map", id_map_text(wanted.map.gids));
}

WithGroups::WithGroups(const std::optional<std::vector<uint32_t>>& groups) {
  if (!groups) return;
  int n = ::getgroups(0, nullptr);
  std::vector<uint32_t> own(n > 0 ? static_cast<size_t>(n) : 0);
  if (n < 0 || ::getgroups(n, own.data()) < 0 || ::setgroups(groups->size(), groups->data()))
    throw_errno(Failure::environment, "supplementary groups of the tree", "they cannot be set", errno);
  own_ = std::move(own);
}

WithGroups::~WithGroups() {
  // Cannot fail: it could be done a moment ago.
  if (own_ && ::setgroups(own_->size(), own_->data())) std::terminate();
}

ActsAs::ActsAs(uint32_t uid, uint32_t gid) : uid_(::geteuid()), gid_(::getegid()) { take_effective_ids(uid, gid); }

ActsAs::~ActsAs() { take_effective_ids(uid_, gid_); }

}  // namespace nsr
