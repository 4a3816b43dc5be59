// Descriptors of namespaces (/proc/PID/ns/*, namespaces(7)). One of the namespaces that the tree lives in is the
// engine's own at the restore, or the one that was made for the tree.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"
#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "engine/images/namespace_kinds.h"
#include "inventory.pb.h"
#include "pstree.pb.h"

namespace nsr {
namespace {

const NamespaceKind* kind_of_link(std::string_view link) {
  for (const NamespaceKind& kind : kNamespaceKinds) {
    Scanner s(link);
    if (s.literal(kind.name) && s.literal(":[")) return &kind;
  }
  return nullptr;
}

class NamespaceFd final : public Kind {
 public:
  const char* name() const override { return "namespace"; }
  bool match(const OpenFile& file) const override { return kind_of_link(file.link) != nullptr; }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    const NamespaceKind& type = *kind_of_link(file.link);
    entry.set_type(pb::NS);
    pb::ns_file_entry& e = *entry.mutable_nsf();
    e.set_id(entry.id());
    e.set_ns_id(ctx.namespace_id(type.clone_flag, file));
    e.set_ns_cflag(type.clone_flag);
    e.set_flags(file.flags);
    if (e.ns_id() == 0)
      throw Error(Failure::unsupported, file.describe(), "no process of the tree lives in this namespace",
                  "close it before the dump");
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::NS && entry.has_nsf(); }
  std::string describe(const pb::file_entry& entry) const override {
    const NamespaceKind* type = namespace_kind(entry.nsf().ns_cflag());
    return format("%s namespace %u", type ? type->name : "unknown", entry.nsf().ns_id());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::ns_file_entry& e = entry.nsf();
    std::string object = image_object(name(), entry.id());
    const NamespaceKind* type = namespace_kind(e.ns_cflag());
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
  static int32_t member_of(const NamespaceKind& type, uint32_t ns_id, const std::string& object, RestoreContext& ctx) {
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
