// epoll(7). A registration belongs to an open file and the number it had when it was added; the number may be closed
// or be another file since. KCMP_EPOLL_TFD (kcmp(2), 4.13) finds the file again among the tree's descriptors.
// Wire: `tfd` is a number under which a holder of the epoll has the file now. Where that does not say all (the number
// has moved, or is one of another holder), `pos`, which no pollable file uses, has bit 63 set, the file's id in bits
// 32 to 62 and the number of the registration below.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
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
#include "engine/files/epoll_add.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/files/tables.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/fdinfo.h"
#include "nsr-files.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint64_t kMoved = 1ull << 63;

dev_t device(uint32_t kernel) { return makedev(kernel >> 20, kernel & 0xfffff); }

/// The registration number `nth` (from 0) of those that were made under the same number.
bool same_target(const OpenFile& candidate, const OpenFile& epoll, uint32_t tfd, uint32_t nth) {
  kcmp_epoll_slot slot{static_cast<uint32_t>(epoll.fd), tfd, nth};
  long r = ::syscall(SYS_kcmp, candidate.pid.value, epoll.pid.value, KCMP_EPOLL_TFD,
                     static_cast<unsigned long>(candidate.fd), &slot);
  if (r < 0) throw_errno(Failure::environment, epoll.describe(), format("kcmp of target %u failed", tfd), errno);
  return r == 0;
}

/// Busy polling of an instance: linux/eventpoll.h, kernel 6.9.
struct BusyPoll {
  uint32_t usecs;
  uint16_t budget;
  uint8_t prefer, pad;
};
constexpr unsigned long kSetBusyPoll = _IOW(0x8a, 1, BusyPoll), kGetBusyPoll = _IOR(0x8a, 2, BusyPoll);

void dump_busy_poll(int epoll, uint32_t id, DumpContext& ctx) {
  BusyPoll params{};
  if (::ioctl(epoll, kGetBusyPoll, &params) != 0) return;  // no such thing in this kernel
  if (params.usecs == 0 && params.budget == 0 && params.prefer == 0) return;
  pb::nsr_file_entry ext;
  ext.set_id(id);
  ext.mutable_epoll()->set_busy_poll_usecs(params.usecs);
  ext.mutable_epoll()->set_busy_poll_budget(params.budget);
  ext.mutable_epoll()->set_prefer_busy_poll(params.prefer != 0);
  ctx.images().append(Img::file_ext).write(ext);
}

void set_busy_poll(int epoll, const pb::nsr_epoll_entry& entry, const std::string& object) {
  BusyPoll params{entry.busy_poll_usecs(), static_cast<uint16_t>(entry.busy_poll_budget()),
                  static_cast<uint8_t>(entry.prefer_busy_poll()), 0};
  if (::ioctl(epoll, kSetBusyPoll, &params) != 0) log.warn("%s: its busy polling cannot be set: %m", object.c_str());
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
    UniqueFd fd = ctx.borrow(file);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    dump_busy_poll(fd.get(), entry.id(), ctx);
    std::map<int32_t, uint32_t> nth;
    for (const procfs::EpollTarget& t : procfs::parse_epoll(file.fdinfo)) {
      const OpenFile* target = find_target(file, t, nth[t.tfd]++, ctx);
      if (!target) {
        // only a file in flight or a mapping keeps it alive: nobody can add or remove it, events are all it has
        throw Error(Failure::unsupported, file.describe(),
                    format("it watches what was descriptor %d, which no process of the tree has open any more", t.tfd));
      }
      pb::eventpoll_tfd_entry& tfd = *e.add_tfd();
      tfd.set_id(entry.id());
      tfd.set_tfd(static_cast<uint32_t>(target->fd));
      tfd.set_events(t.events);
      tfd.set_data(t.data);
      tfd.set_dev(t.sdev);
      tfd.set_inode(t.ino);
      // what is in flight in a socket was taken out by a process of the engine, whose numbers say nothing
      bool moved = target->fd != t.tfd || target->pid != file.pid || !ctx.inner_pid(file.pid);
      tfd.set_pos(moved ? kMoved | uint64_t{ctx.file_id_of(*target)} << 32 | static_cast<uint32_t>(t.tfd)
                        : static_cast<uint64_t>(t.pos.value_or(0)));
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
    pending_.push_back(&entry);
    ctx.provide(entry.id(), std::move(fd));
  }

  /// Registers what the engine has open. What the tasks open themselves is left to them, and what tells them apart.
  void finish_restore(RestoreContext& ctx) override {
    Tables tables;
    for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
      if (const pb::file_entry* entry = ext.has_epoll() ? ctx.entry(ext.id()) : nullptr; entry && owns(*entry))
        set_busy_poll(ctx.fd_of(ext.id()), ext.epoll(), image_object(name(), ext.id()));
    for (const pb::file_entry* entry : pending_) {
      if (entry->epfd().tfd_size() == 0) continue;
      // one that no task holds is in flight in a socket: who receives it finds its targets by their file ids
      const auto* table = tables.first_with(entry->id(), ctx);
      register_all(*entry, table ? *table : std::vector<pb::fdinfo_entry>(), ctx);
      ctx.make_room();
    }
  }

  bool needs_task(const pb::file_entry& entry) const override { return left_.count(entry.id()) > 0; }

  void emit(const pb::file_entry& entry, TaskStage& stage) override {
    for (const pb::eventpoll_tfd_entry& t : left_.at(entry.id())) {
      epoll_event event{};
      event.events = t.events();
      event.data.u64 = t.data();
      stage.program.call(SYS_epoll_ctl, stage.fd, EPOLL_CTL_ADD, t.tfd(), stage.arena.put(event));
      stage.program.note(format("fd %d: epoll watches fd %u", stage.fd, t.tfd()));
    }
  }

 private:
  void register_all(const pb::file_entry& entry, const std::vector<pb::fdinfo_entry>& table, RestoreContext& ctx) {
    std::string object = image_object(name(), entry.id());
    std::map<uint32_t, uint32_t> ids;
    for (const auto& f : table) ids[f.fd()] = f.id();
    std::vector<EpollAdd> adds;
    for (const auto& t : entry.epfd().tfd()) {
      bool moved = t.pos() & kMoved;
      auto at = ids.find(t.tfd());
      if (!moved && at == ids.end())
        throw Error(Failure::image, object, format("watches descriptor %u, which its process does not have", t.tfd()));
      uint32_t target = moved ? static_cast<uint32_t>(t.pos() >> 32) & 0x7fffffffu : at->second;
      int fd = ctx.fd_of(target);
      // A signalfd wakes those who wait for the signals of the process that registered it.
      const pb::file_entry* file = ctx.entry(target);
      bool own_signals = !moved && file && file->type() == pb::SIGNALFD;
      if (own_signals || is_placeholder(fd)) {  // opened by the task itself
        left_[entry.id()].push_back(t);
        continue;
      }
      adds.push_back({fd, static_cast<int>(moved ? static_cast<uint32_t>(t.pos()) : t.tfd()), t.events(), t.data()});
    }
    add_to_epoll(ctx.fd_of(entry.id()), adds, object);
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
    // added by another process that shares the epoll
    for (const OpenFile& f : ctx.all_open_files())
      if (f.pid != epoll.pid && f.fd >= 0 && f.st.st_ino == t.ino && f.st.st_dev == device(t.sdev) &&
          same_target(f, epoll, static_cast<uint32_t>(t.tfd), nth))
        return &f;
    return nullptr;
  }

  HostPid indexed_;
  std::map<std::pair<dev_t, ino_t>, std::vector<const OpenFile*>> index_;
  std::vector<const pb::file_entry*> pending_;
  std::map<uint32_t, std::vector<pb::eventpoll_tfd_entry>> left_;
};

}  // namespace

std::unique_ptr<Kind> make_epoll_kind() { return std::make_unique<Epoll>(); }

}  // namespace nsr
