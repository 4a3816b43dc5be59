// Descriptors of namespaces (/proc/PID/ns/*, namespaces(7)). One of the namespaces that the tree lives in is the
// engine's own at the restore, or the one that was made for the tree.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core.pb.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"
#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "inventory.pb.h"
#include "pstree.pb.h"

namespace nsr {
namespace {

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct Type {
  const char* name;  ///< in /proc/PID/ns
  uint32_t flag;     ///< of clone(2)
  uint32_t (*id)(const pb::task_kobj_ids_entry&);
};

constexpr Type kTypes[] = {
    {"net", CLONE_NEWNET, [](const pb::task_kobj_ids_entry& i) { return i.net_ns_id(); }},
    {"pid", CLONE_NEWPID, [](const pb::task_kobj_ids_entry& i) { return i.pid_ns_id(); }},
    {"ipc", CLONE_NEWIPC, [](const pb::task_kobj_ids_entry& i) { return i.ipc_ns_id(); }},
    {"uts", CLONE_NEWUTS, [](const pb::task_kobj_ids_entry& i) { return i.uts_ns_id(); }},
    {"mnt", CLONE_NEWNS, [](const pb::task_kobj_ids_entry& i) { return i.mnt_ns_id(); }},
    {"user", CLONE_NEWUSER, [](const pb::task_kobj_ids_entry& i) { return i.user_ns_id(); }},
    {"cgroup", CLONE_NEWCGROUP, [](const pb::task_kobj_ids_entry& i) { return i.cgroup_ns_id(); }},
    {"time", CLONE_NEWTIME, [](const pb::task_kobj_ids_entry& i) { return i.time_ns_id(); }},
};

const Type* type_of_link(std::string_view link) {
  for (const Type& t : kTypes) {
    Scanner s(link);
    if (s.literal(t.name) && s.literal(":[")) return &t;
  }
  return nullptr;
}

const Type* type_of_flag(uint32_t flag) {
  for (const Type& t : kTypes)
    if (t.flag == flag) return &t;
  return nullptr;
}

class NamespaceFd final : public Kind {
 public:
  const char* name() const override { return "namespace"; }
  bool match(const OpenFile& file) const override { return type_of_link(file.link) != nullptr; }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    const Type& type = *type_of_link(file.link);
    entry.set_type(pb::NS);
    pb::ns_file_entry& e = *entry.mutable_nsf();
    e.set_id(entry.id());
    e.set_ns_id(ctx.namespace_id(type.flag, file));
    e.set_ns_cflag(type.flag);
    e.set_flags(file.flags);
    if (e.ns_id() == 0)
      throw Error(Failure::unsupported, file.describe(), "no process of the tree lives in this namespace",
                  "close it before the dump");
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::NS && entry.has_nsf(); }
  std::string describe(const pb::file_entry& entry) const override {
    const Type* type = type_of_flag(entry.nsf().ns_cflag());
    return format("%s namespace %u", type ? type->name : "unknown", entry.nsf().ns_id());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::ns_file_entry& e = entry.nsf();
    std::string object = image_object(name(), entry.id());
    const Type* type = type_of_flag(e.ns_cflag());
    if (!type) throw Error(Failure::image, object, format("its clone flag %x is none of a namespace", e.ns_cflag()));
    if (type->id(ctx.images().one<pb::inventory_entry>(Img::inventory).root_ids()) == e.ns_id()) {
      // not created by the restore: the tree stays in the engine's
      UniqueFd fd = close_on_exec(::open(format("/proc/self/ns/%s", type->name).c_str(), reopen_flags(e.flags())));
      if (!fd)
        throw_errno(Failure::environment, object, format("/proc/self/ns/%s cannot be opened", type->name), errno);
      ctx.provide(entry.id(), std::move(fd));
      return;
    }
    int32_t pid = member_of(*type, e.ns_id(), object, ctx);
    std::string path = format("/proc/%d/ns/%s", pid, type->name);
    opens_.provide(entry.id(), path, ctx, [path, flags = reopen_flags(e.flags())](Program& p, Arena& arena) {
      p.call(SYS_openat, AT_FDCWD, arena.put_string(path), flags);
    });
  }
  void emit_opens(TaskStage& stage) override { opens_.emit(stage); }

 private:
  /// A process that the images put into that namespace.
  static int32_t member_of(const Type& type, uint32_t ns_id, const std::string& object, RestoreContext& ctx) {
    for (const auto& task : ctx.images().all<pb::pstree_entry>(Img::pstree)) {
      auto ids = ctx.images().open(Img::ids, task.pid());
      if (!ids) continue;  // a zombie has none
      pb::task_kobj_ids_entry entry;
      ids->one(entry);
      if (type.id(entry) == ns_id) return static_cast<int32_t>(task.pid());
    }
    throw Error(Failure::image, object, format("no process of the images is in %s namespace %u", type.name, ns_id));
  }

  InTaskOpens opens_;
};

}  // namespace

std::unique_ptr<Kind> make_namespace_kind() { return std::make_unique<NamespaceFd>(); }

}  // namespace nsr
