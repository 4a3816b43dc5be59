// timerfd_create(2). The image has the time left at the dump; an absolute timer is armed for now + that, so that it
// shows its flags (TFD_TIMER_CANCEL_ON_SET among them) again. Time between dump and restore does not count but for the
// wall clock: what waits for a time of day gets that time, from nsr-files.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/fdinfo.h"
#include "nsr-files.pb.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)  // linux/timerfd.h, 3.17
#endif

namespace nsr {
namespace {

constexpr long kSecond = 1000000000, kClose = 100000;

bool is_wall_clock(uint32_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM; }

/// Time of the clock. The clocks that wake a suspended host cannot be read where there is no RTC, but their
/// twins show the same.
timespec time_of(uint32_t clock) {
  timespec now{};
  ::clock_gettime(is_wall_clock(clock)            ? CLOCK_REALTIME
                  : clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME
                                                  : static_cast<clockid_t>(clock),
                  &now);
  return now;
}

timespec sum(timespec a, timespec b) {
  timespec s{a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
  if (s.tv_nsec >= kSecond) {
    s.tv_nsec -= kSecond;
    ++s.tv_sec;
  }
  return s;
}

bool before(timespec a, timespec b) { return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec; }

class Timerfd final : public Kind {
 public:
  const char* name() const override { return "timerfd"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[timerfd]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::TIMERFD);
    pb::timerfd_entry& e = *entry.mutable_tfd();
    UniqueFd fd = ctx.borrow(file);
    procfs::TimerfdInfo info = state_of(file, fd.get());
    e.set_id(entry.id());
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    e.set_clockid(static_cast<uint32_t>(info.clockid));
    e.set_ticks(info.ticks);
    e.set_settime_flags(info.settime_flags);
    e.set_vsec(info.value_sec);
    e.set_vnsec(info.value_nsec);
    e.set_isec(info.interval_sec);
    e.set_insec(info.interval_nsec);
    bool armed = info.value_sec != 0 || info.value_nsec != 0;
    if (armed && is_wall_clock(e.clockid()) && (info.settime_flags & TFD_TIMER_ABSTIME))
      dump_wall_time(e, file, fd.get(), ctx);
  }

  void dump_wall_time(const pb::timerfd_entry& e, const OpenFile& file, int fd, DumpContext& ctx) {
    timespec now{};
    procfs::TimerfdInfo left;
    // no call gives both at once: again, when this thread did not run between the two
    for (int attempt = 0; attempt < 10; ++attempt) {
      now = time_of(e.clockid());
      left = read_again(file, fd);
      if (before(time_of(e.clockid()), sum(now, {0, kClose}))) break;
    }
    timespec at = sum(now, {static_cast<time_t>(left.value_sec), static_cast<long>(left.value_nsec)});
    pb::nsr_file_entry ext;
    ext.set_id(e.id());
    ext.set_expires_sec(at.tv_sec);
    ext.set_expires_nsec(static_cast<uint32_t>(at.tv_nsec));
    ctx.images().append(Img::file_ext).write(ext);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::TIMERFD && entry.has_tfd(); }
  std::string describe(const pb::file_entry& entry) const override {
    const pb::timerfd_entry& e = entry.tfd();
    return format("timerfd, clock %u, %llu.%09llu s left, %llu ticks", e.clockid(),
                  static_cast<unsigned long long>(e.vsec()), static_cast<unsigned long long>(e.vnsec()),
                  static_cast<unsigned long long>(e.ticks()));
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::timerfd_entry& e = entry.tfd();
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::timerfd_create(static_cast<int>(e.clockid()), TFD_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, format("clock %u cannot be used", e.clockid()), errno);
    uint64_t ticks = e.ticks() + arm(fd.get(), e, ctx, object);
    if (ticks > 0 && ::ioctl(fd.get(), TFD_IOC_SET_TICKS, &ticks) != 0)
      throw_errno(Failure::environment, object, "its expirations not yet read cannot be set", errno,
                  "the kernel needs CONFIG_CHECKPOINT_RESTORE");
    set_status_flags(fd.get(), e.flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }

 private:
  /// A periodic timer that has expired waits for a read before it runs on, and shows no time left. Asking for its time
  /// makes it run on at once with the expirations counted that were missed: what the read would have done.
  static procfs::TimerfdInfo state_of(const OpenFile& file, int fd) {
    procfs::TimerfdInfo info = procfs::parse_timerfd(file.fdinfo);
    bool waits = info.value_sec == 0 && info.value_nsec == 0 && (info.interval_sec != 0 || info.interval_nsec != 0);
    itimerspec now{};
    if (!waits) return info;
    if (::timerfd_gettime(fd, &now) != 0) throw_errno(Failure::unsupported, file.describe(), "cannot be read", errno);
    return read_again(file, fd);
  }

  static procfs::TimerfdInfo read_again(const OpenFile& file, int fd) {
    auto text = read_file(format("/proc/self/fdinfo/%d", fd));
    if (!text) throw_errno(Failure::unsupported, file.describe(), "its fdinfo cannot be read", errno);
    return procfs::parse_timerfd(*text);
  }

  /// The time of day that the timer waits for; nothing when it waits for something else.
  const timespec* wall_time(uint32_t id, RestoreContext& ctx) {
    if (!wall_times_) {
      wall_times_.emplace();
      for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
        if (ext.has_expires_sec())
          (*wall_times_)[ext.id()] = {static_cast<time_t>(ext.expires_sec()), static_cast<long>(ext.expires_nsec())};
    }
    auto at = wall_times_->find(id);
    return at == wall_times_->end() ? nullptr : &at->second;
  }

  /// Expirations that come at once: setting those that were not read yet would take them back.
  uint64_t arm(int fd, const pb::timerfd_entry& e, RestoreContext& ctx, const std::string& object) {
    uint64_t due = 0;
    itimerspec t{};
    t.it_interval = {static_cast<time_t>(e.isec()), static_cast<long>(e.insec())};
    t.it_value = {static_cast<time_t>(e.vsec()), static_cast<long>(e.vnsec())};
    if (t.it_value.tv_sec == 0 && t.it_value.tv_nsec == 0) {
      // not armed, or one of a writer that saw it between two periods
      t.it_value = t.it_interval;
      if (t.it_value.tv_sec == 0 && t.it_value.tv_nsec == 0 && e.settime_flags() == 0) return 0;
    } else if (e.settime_flags() & TFD_TIMER_ABSTIME) {
      timespec now = time_of(e.clockid());
      const timespec* wall = wall_time(e.id(), ctx);
      t.it_value = wall ? *wall : sum(now, t.it_value);
      due = !before(now, t.it_value);
    }
    if (::timerfd_settime(fd, static_cast<int>(e.settime_flags()), &t, nullptr) != 0)
      throw_errno(Failure::environment, object, "cannot be armed", errno);
    return due;
  }

  std::optional<std::map<uint32_t, timespec>> wall_times_;  ///< by file id
};

}  // namespace

std::unique_ptr<Kind> make_timerfd_kind() { return std::make_unique<Timerfd>(); }

}  // namespace nsr
