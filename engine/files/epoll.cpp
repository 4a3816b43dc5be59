// epoll(7). A registration belongs to an open file and the number it had when it was added; the number may be closed
// or be another file since. KCMP_EPOLL_TFD (kcmp(2), 4.13) finds the file again among the tree's descriptors.
// Wire: `tfd` is a number under which the holder has the file now. A number that comes twice stands for a file that was
// also registered through a duplicate which is closed since.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

const Logger log("files");

dev_t device(uint32_t kernel) { return makedev(kernel >> 20, kernel & 0xfffff); }

/// The registration number `nth` (from 0) of those that were made under the same number.
bool same_target(const OpenFile& candidate, const OpenFile& epoll, uint32_t tfd, uint32_t nth) {
  kcmp_epoll_slot slot{static_cast<uint32_t>(epoll.fd), tfd, nth};
  long r = ::syscall(SYS_kcmp, candidate.pid.value, epoll.pid.value, KCMP_EPOLL_TFD,
                     static_cast<unsigned long>(candidate.fd), &slot);
  if (r < 0) throw_errno(Failure::environment, epoll.describe(), format("kcmp of target %u failed", tfd), errno);
  return r == 0;
}

class Epoll final : public Kind {
 public:
  const char* name() const override { return "epoll"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[eventpoll]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::EVENTPOLL);
    pb::eventpoll_file_entry& e = *entry.mutable_epfd();
    e.set_id(entry.id());
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(ctx.borrow(file).get());
    std::map<int32_t, uint32_t> nth;
    for (const procfs::EpollTarget& t : procfs::parse_epoll(file.fdinfo)) {
      const OpenFile* target = find_target(file, t, nth[t.tfd]++, ctx);
      if (!target) {
        // only a file in flight or a mapping keeps it alive: nobody can add or remove it, events are all it has
        throw Error(Failure::unsupported, file.describe(),
                    format("it watches what was descriptor %d, which no process of the tree has open", t.tfd));
      }
      pb::eventpoll_tfd_entry& tfd = *e.add_tfd();
      tfd.set_id(entry.id());
      tfd.set_tfd(static_cast<uint32_t>(target->fd));
      tfd.set_events(t.events);
      tfd.set_data(t.data);
      tfd.set_dev(t.sdev);
      tfd.set_inode(t.ino);
      tfd.set_pos(static_cast<uint64_t>(t.pos.value_or(0)));
    }
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::EVENTPOLL && entry.has_epfd(); }
  std::string describe(const pb::file_entry& entry) const override {
    std::string text = "epoll of";
    for (const auto& t : entry.epfd().tfd()) text += format(" %u", t.tfd());
    return entry.epfd().tfd_size() ? text : "epoll of nothing";
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, "epoll_create1 failed", errno);
    set_status_flags(fd.get(), entry.epfd().flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }

  bool needs_task(const pb::file_entry& entry) const override { return entry.epfd().tfd_size() > 0; }

  void emit(const pb::file_entry& entry, TaskStage& stage) override {
    std::set<uint32_t> done;
    for (const auto& t : entry.epfd().tfd()) {
      bool known =
          std::any_of(stage.table.begin(), stage.table.end(), [&](const auto& f) { return f.fd() == t.tfd(); });
      if (!known)
        throw Error(Failure::image, image_object(name(), entry.id()),
                    format("watches descriptor %u, which pid %d does not have", t.tfd(), stage.pid.value));
      add(t, !done.insert(t.tfd()).second, stage);
    }
  }

 private:
  static void add(const pb::eventpoll_tfd_entry& t, bool again, TaskStage& stage) {
    Program& p = stage.program;
    epoll_event event{};
    event.events = t.events();
    event.data.u64 = t.data();
    RemoteAddr at = stage.arena.put(event);
    if (!again) {
      p.call(SYS_epoll_ctl, stage.fd, EPOLL_CTL_ADD, t.tfd(), at);
      p.note(format("fd %d: epoll watches fd %u", stage.fd, t.tfd()));
      return;
    }
    // the same file a second time: through a number of its own, which is closed again
    const int spare = lowest_free(stage.table);
    p.call(SYS_dup3, t.tfd(), spare, O_CLOEXEC);
    p.note(format("fd %d: duplicate of fd %u to watch", stage.fd, t.tfd()));
    p.call(SYS_epoll_ctl, stage.fd, EPOLL_CTL_ADD, spare, at);
    p.note(format("fd %d: epoll watches a closed duplicate of fd %u", stage.fd, t.tfd()));
    p.call(SYS_close, spare);
    p.note(format("fd %d: spare number", spare));
  }

  /// Descriptors of one task by inode; made once for the task that was asked last.
  const std::vector<const OpenFile*>& candidates(const OpenFile& epoll, dev_t dev, ino_t ino, DumpContext& ctx) {
    if (indexed_ != epoll.pid) {
      index_.clear();
      indexed_ = epoll.pid;
      for (const OpenFile& f : ctx.all_open_files())
        if (f.pid == epoll.pid && f.fd >= 0) index_[{f.st.st_dev, f.st.st_ino}].push_back(&f);
    }
    return index_[{dev, ino}];
  }

  const OpenFile* find_target(const OpenFile& epoll, const procfs::EpollTarget& t, uint32_t nth, DumpContext& ctx) {
    const auto& list = candidates(epoll, device(t.sdev), t.ino, ctx);
    // the usual case: the number is still that file. Files of anonymous inodes share one inode, so it is asked always
    for (const OpenFile* f : list)
      if (f->fd == t.tfd && same_target(*f, epoll, static_cast<uint32_t>(t.tfd), nth)) return f;
    for (const OpenFile* f : list)
      if (f->fd != t.tfd && same_target(*f, epoll, static_cast<uint32_t>(t.tfd), nth)) return f;
    return nullptr;
  }

  HostPid indexed_;
  std::map<std::pair<dev_t, ino_t>, std::vector<const OpenFile*>> index_;
};

}  // namespace

std::unique_ptr<Kind> make_epoll_kind() { return std::make_unique<Epoll>(); }

}  // namespace nsr
