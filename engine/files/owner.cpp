// F_SETOWN, F_SETSIG and O_ASYNC of any kind, set in a task that holds the file: the owner must exist, its number is
// of that task's pid namespace, and O_ASYNC remembers the number of the descriptor it was set through (si_fd).
#include "engine/files/owner.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/files/kinds.h"

namespace nsr {
namespace {

struct Common {
  const pb::fown_entry* owner = nullptr;
  uint32_t flags = 0;
};

template <class Message>
Common of(const Message& m) {
  return {&m.fown(), m.flags()};
}

Common common_part(const pb::file_entry& e) {
  switch (e.type()) {
    case pb::REG:
      return of(e.reg());
    case pb::PIPE:
      return of(e.pipe());
    case pb::INETSK:
      return of(e.isk());
    case pb::UNIXSK:
      return of(e.usk());
    case pb::EVENTFD:
      return of(e.efd());
    case pb::EVENTPOLL:
      return of(e.epfd());
    case pb::INOTIFY:
      return of(e.ify());
    case pb::SIGNALFD:
      return of(e.sgfd());
    case pb::PACKETSK:
      return of(e.psk());
    case pb::TTY:
      return of(e.tty());
    case pb::FANOTIFY:
      return of(e.ffy());
    case pb::NETLINKSK:
      return of(e.nlsk());
    case pb::TIMERFD:
      return of(e.tfd());
    case pb::MEMFD:
      return of(e.memfd());
    case pb::BPFMAP:
      return of(e.bpf());
    case pb::PIDFD:
      return of(e.pidfd());
    default:
      return {};
  }
}

}  // namespace

bool owner_needs_task(const pb::fown_entry& owner, uint32_t flags) {
  return owner.pid() != 0 || owner.signum() != 0 || (flags & FASYNC);
}

void emit_owner(const pb::fown_entry& owner, uint32_t flags, TaskStage& stage) {
  Program& p = stage.program;
  // first O_ASYNC: a terminal makes the caller its owner then, which the recorded owner replaces
  if (flags & FASYNC) {
    p.call(SYS_fcntl, stage.fd, F_SETFL, flags & (FASYNC | O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME));
    p.note(format("fd %d: O_ASYNC", stage.fd));
  }
  if (owner.signum() != 0) {
    p.call(SYS_fcntl, stage.fd, F_SETSIG, owner.signum());
    p.note(format("fd %d: signal %u by F_SETSIG", stage.fd, owner.signum()));
  }
  if (owner.pid() == 0) return;
  // The kernel keeps the ids of whoever calls F_SETOWN and later checks the signal against them. The saved id stays
  // root's, so the way back is open.
  bool other_user = owner.uid() != 0 || owner.euid() != 0;
  if (other_user) {
    p.call(SYS_setresuid, owner.uid(), owner.euid(), 0);
    p.note(format("fd %d: owner set as uid %u euid %u", stage.fd, owner.uid(), owner.euid()));
  }
  f_owner_ex ex{static_cast<decltype(f_owner_ex::type)>(owner.pid_type()), static_cast<int32_t>(owner.pid())};
  p.call(SYS_fcntl, stage.fd, F_SETOWN_EX, stage.arena.put(ex));
  p.note(format("fd %d: owner %s %u by F_SETOWN", stage.fd,
                ex.type == F_OWNER_TID   ? "thread"
                : ex.type == F_OWNER_PID ? "process"
                                         : "process group",
                owner.pid()));
  if (other_user) {
    p.call(SYS_setresuid, 0, 0, 0);
    p.note("back to the engine's user ids");
  }
}

namespace {

class WithOwner final : public Kind {
 public:
  explicit WithOwner(std::unique_ptr<Kind> kind) : kind_(std::move(kind)) {}

  const char* name() const override { return kind_->name(); }
  bool match(const OpenFile& file) const override { return kind_->match(file); }
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override { kind_->dump(file, entry, ctx); }
  void finish_dump(DumpContext& ctx) override { kind_->finish_dump(ctx); }
  void write_last(DumpContext& ctx) override { kind_->write_last(ctx); }
  void before_kill(DumpContext& ctx) override { kind_->before_kill(ctx); }
  bool owns(const pb::file_entry& entry) const override { return kind_->owns(entry); }
  std::string describe(const pb::file_entry& entry) const override { return kind_->describe(entry); }
  void open(const pb::file_entry& entry, RestoreContext& ctx) override { kind_->open(entry, ctx); }
  void finish_restore(RestoreContext& ctx) override { kind_->finish_restore(ctx); }
  void before_release() override { kind_->before_release(); }
  void after_release() override { kind_->after_release(); }
  void emit_session(TaskStage& stage) override { kind_->emit_session(stage); }
  void emit_inherited(TaskStage& stage) override { kind_->emit_inherited(stage); }
  void emit_task(TaskStage& stage) override { kind_->emit_task(stage); }
  void emit_opens(TaskStage& stage) override { kind_->emit_opens(stage); }

  bool needs_task(const pb::file_entry& entry) const override {
    Common c = common_part(entry);
    return kind_->needs_task(entry) || (c.owner && owner_needs_task(*c.owner, c.flags));
  }

  void emit(const pb::file_entry& entry, TaskStage& stage) override {
    if (kind_->needs_task(entry)) kind_->emit(entry, stage);
    if (Common c = common_part(entry); c.owner) emit_owner(*c.owner, c.flags, stage);
  }

 private:
  std::unique_ptr<Kind> kind_;
};

}  // namespace

std::unique_ptr<Kind> with_owner(std::unique_ptr<Kind> kind) { return std::make_unique<WithOwner>(std::move(kind)); }

}  // namespace nsr
