// pidfd_open(2). One of a living process is opened by the task that holds it. One of a process that is gone gets a
// process made for it that ends at once: one for each description, since a pidfd of a process that is gone cannot be
// opened a second time.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

constexpr unsigned kThread = O_EXCL;  // PIDFD_THREAD, linux/pidfd.h, 6.9

/// A pidfd of a process that has ended and been waited for.
UniqueFd dead_process(const std::string& object) {
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  if (pid < 0) throw_errno(Failure::environment, object, "a process cannot be made for it", errno);
  while (::waitpid(static_cast<pid_t>(pid), nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return UniqueFd(pidfd);
}

class PidfdKind final : public Kind {
 public:
  const char* name() const override { return "pidfd"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[pidfd]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::PIDFD);
    pb::pidfd_entry& e = *entry.mutable_pidfd();
    procfs::PidfdInfo info = procfs::parse_pidfd(file.fdinfo);
    e.set_id(entry.id());
    e.set_ino(static_cast<uint32_t>(file.st.st_ino));
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(ctx.borrow(file).get());
    e.set_nspid(-1);
    if (info.pid == -1) return;
    auto inner = info.pid > 0 ? ctx.inner_pid(HostPid(info.pid)) : std::nullopt;
    if (!inner)
      throw Error(Failure::unsupported, file.describe(),
                  info.pid > 0 ? format("process %d, which it refers to, is not in the tree", info.pid)
                               : "the process that it refers to is not in this pid namespace",
                  "close it, or dump that process too");
    e.set_nspid(inner->value);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::PIDFD && entry.has_pidfd(); }
  std::string describe(const pb::file_entry& entry) const override {
    int pid = entry.pidfd().nspid();
    return pid > 0 ? format("pidfd of %d", pid) : "pidfd of a process that has ended";
  }
  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::pidfd_entry& e = entry.pidfd();
    std::string object = image_object(name(), entry.id());
    if (e.nspid() > 0) {
      uint64_t flags = e.flags() & (O_NONBLOCK | kThread);
      opens_.provide(entry.id(), format("pidfd of %d", e.nspid()), ctx,
                     [pid = e.nspid(), flags](Program& p, Arena&) { p.call(SYS_pidfd_open, pid, flags); });
      return;
    }
    UniqueFd fd = dead_process(object);
    set_status_flags(fd.get(), e.flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }

  void emit_opens(TaskStage& stage) override { opens_.emit(stage); }

 private:
  InTaskOpens opens_;
};

}  // namespace

std::unique_ptr<Kind> make_pidfd_kind() { return std::make_unique<PidfdKind>(); }

}  // namespace nsr
