// eventfd(2). The image keeps EFD_SEMAPHORE as bit 0 of flags: an eventfd is always O_RDWR, so the bit is free, and a
// reader that does not know it hands the flags to F_SETFL, which ignores it.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

/// Before Linux 6.5 only reading tells a semaphore from a counter. Everything here is undone again.
bool reads_as_semaphore(int fd, uint64_t count) {
  const int flags = ::fcntl(fd, F_GETFL);
  (void)::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  eventfd_t value = 0, ignored;
  if (count == 1) (void)::eventfd_read(fd, &ignored);
  if (count <= 1) (void)::eventfd_write(fd, 2);
  (void)::eventfd_read(fd, &value);
  const bool semaphore = value == 1;
  if (count > 1) (void)::eventfd_write(fd, value);
  if (count <= 1 && semaphore) (void)::eventfd_read(fd, &ignored);
  if (count == 1) (void)::eventfd_write(fd, 1);
  (void)::fcntl(fd, F_SETFL, flags);
  return semaphore;
}

/// The same in a process of its own, which puts the count right also when the engine is killed meanwhile: until it ends
/// it holds the tasks still, by the copies it has of the engine's descriptors (DumpContext::parking).
bool ask_whether_semaphore(int fd, uint64_t count, const OpenFile& file) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = ::fork();
  if (child == 0) ::_exit(reads_as_semaphore(fd, count) ? 1 : 0);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) throw_errno(Failure::environment, file.describe(), "fork failed", error);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw_errno(Failure::environment, file.describe(), "waiting for a child failed", errno);
  if (!WIFEXITED(status))
    throw Error(Failure::environment, file.describe(), "the process that looked at its count was killed", "try again");
  return WEXITSTATUS(status) == 1;
}

class Eventfd final : public Kind {
 public:
  const char* name() const override { return "eventfd"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[eventfd]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::EVENTFD);
    pb::eventfd_file_entry& e = *entry.mutable_efd();
    e.set_id(entry.id());
    procfs::EventfdInfo info = procfs::parse_eventfd(file.fdinfo);
    UniqueFd fd = ctx.borrow(file);
    bool semaphore = info.semaphore ? *info.semaphore : ask_whether_semaphore(fd.get(), info.count, file);
    e.set_flags(file.flags | (semaphore ? EFD_SEMAPHORE : 0));
    *e.mutable_fown() = ctx.owner_of(fd.get());
    e.set_counter(info.count);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::EVENTFD && entry.has_efd(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("eventfd%s, count %llu", entry.efd().flags() & EFD_SEMAPHORE ? " (semaphore)" : "",
                  static_cast<unsigned long long>(entry.efd().counter()));
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::eventfd_file_entry& e = entry.efd();
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | static_cast<int>(e.flags() & EFD_SEMAPHORE)));
    if (!fd) throw_errno(Failure::environment, object, "eventfd failed", errno);
    // a kernel-side signaller may have brought it to 2^64-1, which write(2) does not take
    uint64_t count = std::min<uint64_t>(e.counter(), UINT64_MAX - 1);
    if (count > 0 && !write_exact(fd.get(), &count, sizeof count))
      throw_errno(Failure::environment, object, "its count cannot be set", errno);
    set_status_flags(fd.get(), e.flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }
};

}  // namespace

std::unique_ptr<Kind> make_eventfd_kind() { return std::make_unique<Eventfd>(); }

}  // namespace nsr
