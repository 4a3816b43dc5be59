// timerfd_create(2). The image has the time left at the dump; an absolute timer is armed for now + that, so that it
// shows its flags (TFD_TIMER_CANCEL_ON_SET among them) again. Time between dump and restore does not count.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)  // linux/timerfd.h, 3.17
#endif

namespace nsr {
namespace {

constexpr long kSecond = 1000000000;

timespec sum(timespec a, timespec b) {
  timespec s{a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
  if (s.tv_nsec >= kSecond) {
    s.tv_nsec -= kSecond;
    ++s.tv_sec;
  }
  return s;
}

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
    arm(fd.get(), e, object);
    uint64_t ticks = e.ticks();
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
    auto text = read_file(format("/proc/self/fdinfo/%d", fd));
    if (!text) throw_errno(Failure::unsupported, file.describe(), "its fdinfo cannot be read", errno);
    return procfs::parse_timerfd(*text);
  }

  static void arm(int fd, const pb::timerfd_entry& e, const std::string& object) {
    itimerspec t{};
    t.it_interval = {static_cast<time_t>(e.isec()), static_cast<long>(e.insec())};
    t.it_value = {static_cast<time_t>(e.vsec()), static_cast<long>(e.vnsec())};
    if (t.it_value.tv_sec == 0 && t.it_value.tv_nsec == 0) {
      // not armed, or one of a writer that saw it between two periods
      t.it_value = t.it_interval;
      if (t.it_value.tv_sec == 0 && t.it_value.tv_nsec == 0 && e.settime_flags() == 0) return;
    } else if (e.settime_flags() & TFD_TIMER_ABSTIME) {
      timespec now{};
      if (::clock_gettime(static_cast<clockid_t>(e.clockid()), &now) != 0)
        throw_errno(Failure::environment, object, format("clock %u cannot be read", e.clockid()), errno);
      t.it_value = sum(now, t.it_value);
    }
    if (::timerfd_settime(fd, static_cast<int>(e.settime_flags()), &t, nullptr) != 0)
      throw_errno(Failure::environment, object, "cannot be armed", errno);
  }
};

}  // namespace

std::unique_ptr<Kind> make_timerfd_kind() { return std::make_unique<Timerfd>(); }

}  // namespace nsr
