#include "engine/files/epoll_add.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/unique_fd.h"
#include "engine/files/common.h"

namespace nsr {
namespace {

constexpr uint32_t kFlags = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;

bool has_fired(const EpollAdd& a) { return (a.events & EPOLLONESHOT) && (a.events & ~kFlags) == 0; }

/// A file at a number of the engine's table; what was there comes back at the end.
class AtNumber {
 public:
  AtNumber(int fd, int number, const std::string& object) : number_(number) {
    if (fd == number) {
      number_ = -1;
      return;
    }
    flags_ = ::fcntl(number, F_GETFD);
    if (flags_ >= 0) saved_ = duplicate(number, object);
    if (::dup3(fd, number, O_CLOEXEC) < 0)
      throw_errno(Failure::environment, object, "descriptor number " + std::to_string(number) + " cannot be had", errno,
                  "raise the limit of open files (ulimit -n)");
  }
  ~AtNumber() {
    if (number_ < 0) return;
    if (saved_)
      ::dup3(saved_.get(), number_, flags_ & FD_CLOEXEC ? O_CLOEXEC : 0);
    else
      ::close(number_);
  }
  AtNumber(const AtNumber&) = delete;
  AtNumber& operator=(const AtNumber&) = delete;
  /// Where a descriptor of the engine is meanwhile.
  int now(int fd) const { return fd == number_ ? saved_.get() : fd; }

 private:
  int number_;
  int flags_ = -1;
  UniqueFd saved_;
};

void control(int epoll, int op, const EpollAdd& a, uint32_t events, const std::string& object) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = a.data;
  int failed = 0;
  {
    AtNumber there(a.fd, a.number, object);
    if (::epoll_ctl(there.now(epoll), op, a.number, &event) != 0) failed = errno;
  }
  if (failed) throw_errno(Failure::environment, object, format("descriptor %d cannot be watched", a.number), failed);
}

/// Whether the registration has fired now; others that fire are disarmed too, as they were.
bool fire(int epoll, const EpollAdd& a) {
  epoll_event event{};
  while (::epoll_wait(epoll, &event, 1, 0) > 0)
    if (event.data.u64 == a.data) return true;
  return false;
}

/// Makes an empty pipe ready for a moment.
bool fire_by_byte(int epoll, const EpollAdd& a) {
  struct stat st {};
  if (::fstat(a.fd, &st) != 0 || !S_ISFIFO(st.st_mode)) return false;
  UniqueFd w(::open(format("/proc/self/fd/%d", a.fd).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  UniqueFd r(::open(format("/proc/self/fd/%d", a.fd).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char byte = 0;
  if (!w || !r || ::write(w.get(), &byte, 1) != 1) return false;
  bool fired = fire(epoll, a);
  return ::read(r.get(), &byte, 1) == 1 && fired;
}

/// Only an event disarms: it is registered for all there are and asked for one.
void add_fired(int epoll, const EpollAdd& a, const std::string& object) {
  constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
  control(epoll, EPOLL_CTL_ADD, a, (a.events & kFlags) | kAll, object);
  if (fire(epoll, a) || fire_by_byte(epoll, a)) return;
  // not ready for anything: error and hang-up stay armed, which is the least that the kernel takes
  control(epoll, EPOLL_CTL_MOD, a, a.events, object);
}

}  // namespace

void add_to_epoll(int epoll, std::vector<EpollAdd>& adds, const std::string& object) {
  // those that must fire come first, while nothing else in there can
  std::stable_partition(adds.begin(), adds.end(), has_fired);
  for (const EpollAdd& a : adds) {
    if (has_fired(a))
      add_fired(epoll, a, object);
    else
      control(epoll, EPOLL_CTL_ADD, a, a.events, object);
  }
}

}  // namespace nsr
