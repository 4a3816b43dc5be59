// inotify(7). Watches are set when all files of the tree are open, or those would be told as events. Watch descriptors
// come back by INOTIFY_IOC_SETNEXTWD (4.18, CONFIG_CHECKPOINT_RESTORE). Events not read yet are lost, with a warning.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/files/watch_target.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)  // linux/inotify.h
#endif

namespace nsr {
namespace {

const Logger log("files");

class Inotify final : public Kind {
 public:
  explicit Inotify(std::shared_ptr<NamedFiles> files) : files_(std::move(files)) {}
  const char* name() const override { return "inotify"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "inotify"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::INOTIFY);
    pb::inotify_file_entry& e = *entry.mutable_ify();
    UniqueFd fd = ctx.borrow(file);
    e.set_id(entry.id());
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    for (const procfs::InotifyWatch& w : procfs::parse_inotify(file.fdinfo)) {
      pb::inotify_wd_entry& wd = *e.add_wd();
      wd.set_id(entry.id());
      wd.set_i_ino(w.ino);
      wd.set_mask(w.mask);
      wd.set_ignored_mask(w.ignored_mask);
      wd.set_s_dev(w.sdev);
      wd.set_wd(static_cast<uint32_t>(w.wd));
      *wd.mutable_f_handle() = dump_watch_target(file, w.sdev, w.ino, w.handle, *files_, ctx);
    }
    int unread = 0;
    if (::ioctl(fd.get(), FIONREAD, &unread) == 0 && unread > 0)
      log.warn("%s: %d bytes of events not read yet are lost", file.describe().c_str(), unread);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::INOTIFY && entry.has_ify(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("inotify with %d watches", entry.ify().wd_size());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::inotify_init1(IN_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, "inotify_init1 failed", errno);
    set_status_flags(fd.get(), entry.ify().flags(), object);
    pending_.emplace(entry.id(), entry.ify());
    ctx.provide(entry.id(), std::move(fd));
  }

  void finish_restore(RestoreContext& ctx) override {
    for (auto& [id, e] : pending_) {
      std::sort(e.mutable_wd()->begin(), e.mutable_wd()->end(),
                [](const auto& a, const auto& b) { return a.wd() < b.wd(); });
      for (const auto& wd : e.wd()) add(ctx.fd_of(id), wd, image_object(name(), id), ctx);
      ctx.make_room();
    }
    pending_.clear();
  }

 private:
  void add(int fd, const pb::inotify_wd_entry& wd, const std::string& object, RestoreContext& ctx) {
    UniqueFd keep;
    std::string path = restore_watch_target(wd.f_handle(), wd.s_dev(), wd.i_ino(), object, *files_, ctx, keep);
    if (::ioctl(fd, INOTIFY_IOC_SETNEXTWD, static_cast<int32_t>(wd.wd())) != 0)
      throw_errno(Failure::environment, object, format("watch descriptor %u cannot be asked for", wd.wd()), errno,
                  "the kernel needs CONFIG_CHECKPOINT_RESTORE");
    int got = ::inotify_add_watch(fd, path.c_str(), wd.mask() | (watch_follows(path) ? 0 : IN_DONT_FOLLOW));
    if (got < 0) throw_errno(Failure::environment, object, path + " cannot be watched", errno);
    if (static_cast<uint32_t>(got) != wd.wd())
      throw Error(Failure::environment, object,
                  format("the watch of %s got number %d instead of %u", path.c_str(), got, wd.wd()),
                  "two names that were different files at the dump are one now");
  }

  std::shared_ptr<NamedFiles> files_;
  std::map<uint32_t, pb::inotify_file_entry> pending_;
};

}  // namespace

std::unique_ptr<Kind> make_inotify_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<Inotify>(std::move(files));
}

}  // namespace nsr
