// POSIX message queues (mq_overview(7)). A queue lives in an IPC namespace and keeps its messages while that is there,
// or comes back with a namespace of the tree's own: an open description is opened again by its name. One that was
// unlinked comes with its messages. Wire: a REG entry whose name is below /dev/mqueue, and a record in nsr-files.
#include "engine/descriptors/mqueue.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"

namespace nsr {
namespace {

constexpr long kMqueueMagic = 0x19800202;  // linux/magic.h
constexpr std::string_view kMount = "/dev/mqueue";
constexpr std::string_view kDeleted = " (deleted)";
const Logger log("files");

/// For a further description of a queue whose messages another record has.
pb::nsr_mqueue_entry no_messages() {
  pb::nsr_mqueue_entry e;
  e.set_maxmsg(0);
  e.set_msgsize(0);
  e.set_uid(0);
  e.set_gid(0);
  e.set_mode(0);
  return e;
}

class Mqueue final : public Kind {
 public:
  ~Mqueue() override { unlink_all(); }
  const char* name() const override { return "message queue"; }

  bool match(const OpenFile& file) const override {
    // no disk behind it; only then the filesystem is asked
    if (!S_ISREG(file.st.st_mode) || major(file.st.st_dev) != 0 || file.link.empty() || file.link[0] != '/')
      return false;
    struct statfs fs {};
    return ::statfs(file.proc_path.c_str(), &fs) == 0 && static_cast<long>(fs.f_type) == kMqueueMagic;
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    UniqueFd seen = ctx.borrow(file);
    if (auto listener = ctx.inner_pid(HostPid(mqueue_listener(seen.get()))))
      log.warn("%s: the notification that process %d waits for (mq_notify) is lost", file.describe().c_str(),
               listener->value);
    if (file.st.st_nlink == 0)
      dump_unlinked(file, seen.get(), entry.id(), ctx);
    else if (!is_there(file))
      throw Error(Failure::unsupported, file.describe(), "its queue lives in another IPC namespace than its process");
    entry.set_type(pb::REG);
    pb::reg_file_entry& reg = *entry.mutable_reg();
    reg.set_id(entry.id());
    reg.set_flags(kept_flags(file, seen.get()));
    reg.set_pos(0);
    *reg.mutable_fown() = ctx.owner_of(seen.get());
    // opened by mq_open the path starts at the filesystem's own root, opened through a mount it does not
    reg.set_name(std::string(kMount) + "/" + name_of(file));
    reg.set_mode(file.st.st_mode);
  }

  bool owns(const pb::file_entry& entry) const override {
    return entry.type() == pb::REG && entry.reg().name().size() > kMount.size() + 1 &&
           entry.reg().name().compare(0, kMount.size() + 1, std::string(kMount) + "/") == 0;
  }
  std::string describe(const pb::file_entry& entry) const override { return "message queue " + queue(entry.reg()); }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::reg_file_entry& reg = entry.reg();
    const std::string name = unlinked_name(entry, ctx).value_or(queue(reg));
    UniqueFd fd = close_on_exec(mq_open_raw(name, reopen_flags(reg.flags())));
    if (!fd) throw_errno(Failure::environment, "message queue /" + name, "cannot be opened", errno);
    ctx.provide(entry.id(), std::move(fd));
  }
  void finish_restore(RestoreContext&) override { unlink_all(); }

 private:
  struct Made {
    std::string name;  ///< that it has until all of its files are open
    UniqueFd queue;
  };

  static std::string queue(const pb::reg_file_entry& reg) { return reg.name().substr(kMount.size() + 1); }
  /// Opened by mq_open the path starts at the filesystem's own root, opened through a mount it does not.
  static std::string name_of(const OpenFile& file) {
    std::string name = file.link.substr(file.link.rfind('/') + 1);
    if (file.st.st_nlink == 0 && name.ends_with(kDeleted)) name.resize(name.size() - kDeleted.size());
    return name;
  }
  /// The system call takes the name without the slash that mq_open(3) wants.
  static int mq_open_raw(const std::string& name, int flags) {
    return static_cast<int>(::syscall(SYS_mq_open, name.c_str(), flags, 0, static_cast<mq_attr*>(nullptr)));
  }

  /// In the calling thread's IPC namespace.
  static bool leads_to(const std::string& name, const struct stat& queue) {
    UniqueFd found = close_on_exec(mq_open_raw(name, O_RDONLY | O_NONBLOCK));
    struct stat st {};
    return found && ::fstat(found.get(), &st) == 0 && st.st_dev == queue.st_dev && st.st_ino == queue.st_ino;
  }

  /// Whether the name leads to this queue in the IPC namespace of the process.
  static bool is_there(const OpenFile& file) {
    UniqueFd theirs(::open(format("/proc/%d/ns/ipc", file.pid.value).c_str(), O_RDONLY | O_CLOEXEC));
    UniqueFd ours(::open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC));
    if (!theirs || !ours || ::setns(theirs.get(), CLONE_NEWIPC) != 0)
      throw_errno(Failure::environment, file.describe(), "the IPC namespace of its process cannot be entered", errno);
    bool there = leads_to(name_of(file), file.st);
    if (::setns(ours.get(), CLONE_NEWIPC) != 0) std::terminate();  // the privilege was there a moment ago
    return there;
  }

  void dump_unlinked(const OpenFile& file, int fd, uint32_t id, DumpContext& ctx) {
    auto [first, fresh] = first_of_.try_emplace({file.st.st_dev, file.st.st_ino}, id);
    pb::nsr_file_entry record;
    record.set_id(id);
    *record.mutable_mqueue() = fresh ? look_into_mqueue(fd, file.describe()) : no_messages();
    record.mutable_mqueue()->set_name(name_of(file));
    record.mutable_mqueue()->set_uid(ctx.users().uids.inner(record.mqueue().uid()));
    record.mutable_mqueue()->set_gid(ctx.users().gids.inner(record.mqueue().gid()));
    if (!fresh) record.mutable_mqueue()->set_of_file(first->second);
    ctx.images().append(Img::file_ext).write(record);
  }

  /// The name that an unlinked queue has until all of its files are open; made at the first call.
  std::optional<std::string> unlinked_name(const pb::file_entry& entry, RestoreContext& ctx) {
    if (!read_) {
      for (auto& record : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
        if (record.has_mqueue() && record.id() != 0) unlinked_[record.id()] = std::move(*record.mutable_mqueue());
      read_ = true;
    }
    auto at = unlinked_.find(entry.id());
    if (at == unlinked_.end()) return std::nullopt;
    const uint32_t first = at->second.has_of_file() ? at->second.of_file() : entry.id();
    auto [at_made, fresh] = made_.try_emplace(first);
    Made& made = at_made->second;
    if (!fresh) return made.name;
    made.name = at->second.name();
    auto content = unlinked_.find(first);
    if (content == unlinked_.end() || content->second.has_of_file())
      throw Error(Failure::image, image_object(name(), entry.id()), format("file id %u has no messages for it", first));
    if (UniqueFd taken = close_on_exec(mq_open_raw(made.name, O_RDONLY | O_NONBLOCK)))
      made.name += format(".%u", first);
    content->second.set_uid(ctx.users().uids.outer(content->second.uid()));
    content->second.set_gid(ctx.users().gids.outer(content->second.gid()));
    made.queue = make_mqueue(content->second, made.name);
    return made.name;
  }

  void unlink_all() {
    struct stat st {};
    for (const auto& [id, made] : made_) {
      // after a failure the namespace may be another one, where the name is somebody else's
      if (!made.queue || ::fstat(made.queue.get(), &st) != 0 || !leads_to(made.name, st)) continue;
      if (::syscall(SYS_mq_unlink, made.name.c_str()) != 0)
        log.warn("message queue /%s cannot be removed: %m", made.name.c_str());
    }
    made_.clear();
  }

  std::map<std::pair<dev_t, ino_t>, uint32_t> first_of_;  ///< unlinked queue -> file id that has its messages
  bool read_ = false;
  std::map<uint32_t, pb::nsr_mqueue_entry> unlinked_;  ///< by file id
  std::map<uint32_t, Made> made_;                      ///< by file id with the messages
};

}  // namespace

std::unique_ptr<Kind> make_mqueue_kind() { return std::make_unique<Mqueue>(); }

}  // namespace nsr
