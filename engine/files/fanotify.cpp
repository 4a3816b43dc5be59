// fanotify(7): marks on inodes, mounts and filesystems. Marks are set when all files of the tree are open. Events not
// read yet are lost, with a warning; a permission event that waits for an answer would be one, so such listeners are
// refused then.
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/files/watch_target.h"

#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x00000400  // linux/fanotify.h, 6.0
#endif

namespace nsr {
namespace {

const Logger log("files");
constexpr uint32_t kPermission = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM;

class Fanotify final : public Kind {
 public:
  explicit Fanotify(std::shared_ptr<NamedFiles> files) : files_(std::move(files)) {}
  const char* name() const override { return "fanotify"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[fanotify]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::FANOTIFY);
    pb::fanotify_file_entry& e = *entry.mutable_ffy();
    procfs::FanotifyInfo info = procfs::parse_fanotify(file.fdinfo);
    UniqueFd fd = ctx.borrow(file);
    e.set_id(entry.id());
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    e.set_faflags(info.flags);
    e.set_evflags(info.event_flags);
    uint32_t all = 0;
    for (const procfs::FanotifyMark& m : info.marks) {
      all |= m.mask;
      dump_mark(file, m, *e.add_mark(), entry.id(), ctx);
    }
    int unread = 0;
    if (::ioctl(fd.get(), FIONREAD, &unread) != 0 || unread == 0) return;
    if (all & kPermission)
      throw Error(Failure::unsupported, file.describe(), "permission events wait in it for an answer",
                  "dump again when it is idle");
    log.warn("%s: %d bytes of events not read yet are lost", file.describe().c_str(), unread);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::FANOTIFY && entry.has_ffy(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("fanotify with %d marks", entry.ffy().mark_size());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::fanotify_file_entry& e = entry.ffy();
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::fanotify_init(e.faflags() | FAN_CLOEXEC, e.evflags()));
    if (!fd)
      throw_errno(Failure::environment, object, format("fanotify_init with flags %x failed", e.faflags()), errno);
    set_status_flags(fd.get(), e.flags(), object);
    pending_.emplace(entry.id(), e);
    ctx.provide(entry.id(), std::move(fd));
  }

  void finish_restore(RestoreContext& ctx) override {
    for (const auto& [id, e] : pending_) {
      for (int i = e.mark_size(); i-- > 0;)  // the kernel lists the latest one first
        add(ctx.fd_of(id), e.mark(i), image_object(name(), id), ctx);
      ctx.make_room();
    }
    pending_.clear();
  }

 private:
  void dump_mark(const OpenFile& file, const procfs::FanotifyMark& m, pb::fanotify_mark_entry& mark, uint32_t id,
                 DumpContext& ctx) {
    using Mark = procfs::FanotifyMark;
    mark.set_id(id);
    mark.set_mflags(m.mflags);
    mark.set_mask(m.mask);
    mark.set_ignored_mask(m.ignored_mask);
    mark.set_s_dev(m.sdev);
    if (m.kind == Mark::Kind::inode) {
      mark.set_type(pb::INODE);
      mark.mutable_ie()->set_i_ino(m.ino);
      *mark.mutable_ie()->mutable_f_handle() = dump_watch_target(file, m.sdev, m.ino, m.handle, *files_, ctx);
    } else if (m.kind == Mark::Kind::mount) {
      auto path = mount_point(file.pid, m.mnt_id);
      if (!path)
        throw Error(Failure::unsupported, file.describe(),
                    format("it marks mount %d, which the task does not see", m.mnt_id));
      mark.set_type(pb::MOUNT);
      mark.mutable_me()->set_mnt_id(static_cast<uint32_t>(m.mnt_id));
      mark.mutable_me()->set_path(*path);
    } else if (m.kind == Mark::Kind::filesystem) {
      // the peer knows no such mark: to it this is one of a mount of that filesystem
      auto mount = mount_of_device(file.pid, m.sdev);
      if (!mount)
        throw Error(Failure::unsupported, file.describe(), "it marks a filesystem of which the task sees no mount");
      mark.set_type(pb::MOUNT);
      mark.set_mflags(m.mflags | FAN_MARK_FILESYSTEM);
      mark.mutable_me()->set_mnt_id(static_cast<uint32_t>(mount->id));
      mark.mutable_me()->set_path(mount->mountpoint);
    } else {
      throw Error(Failure::unsupported, file.describe(), "it marks a whole mount namespace");
    }
  }

  void add(int fd, const pb::fanotify_mark_entry& m, const std::string& object, RestoreContext& ctx) {
    UniqueFd keep;
    std::string path;
    unsigned flags = FAN_MARK_ADD;
    if (m.type() == pb::MOUNT) {
      if (!m.me().has_path() || m.me().path().empty())
        throw Error(Failure::unsupported, object,
                    format("the image does not tell the path of mount %u", m.me().mnt_id()));
      flags |= m.mflags() & FAN_MARK_FILESYSTEM ? FAN_MARK_FILESYSTEM : FAN_MARK_MOUNT;
      path = m.me().path();
    } else {
      path = restore_watch_target(m.ie().f_handle(), m.s_dev(), m.ie().i_ino(), object, *files_, ctx, keep);
    }
    if (!watch_follows(path)) flags |= FAN_MARK_DONT_FOLLOW;
    bool events = m.mask() != 0;
    if (events && ::fanotify_mark(fd, flags | (m.mflags() & FAN_MARK_EVICTABLE), m.mask(), AT_FDCWD, path.c_str()) != 0)
      throw_errno(Failure::environment, object, path + " cannot be marked", errno);
    // the older way and the one of Linux 6.0 do not mix in one group
    unsigned ignores = m.mflags() & FAN_MARK_IGNORE ? FAN_MARK_IGNORE : FAN_MARK_IGNORED_MASK;
    unsigned survives = m.mflags() & FAN_MARK_IGNORED_SURV_MODIFY;
    if (m.ignored_mask() != 0 &&
        ::fanotify_mark(fd, flags | ignores | survives, m.ignored_mask(), AT_FDCWD, path.c_str()) != 0)
      throw_errno(Failure::environment, object, "events of " + path + " cannot be ignored", errno);
  }

  std::shared_ptr<NamedFiles> files_;
  std::map<uint32_t, pb::fanotify_file_entry> pending_;
};

}  // namespace

std::unique_ptr<Kind> make_fanotify_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<Fanotify>(std::move(files));
}

}  // namespace nsr
