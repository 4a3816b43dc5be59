// Controlling terminals: who leads a session takes its terminal, and the group that was in its foreground is put there.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/tty.h"
#include "engine/files/tty_settings.h"
#include "engine/images/image_dir.h"
#include "pstree.pb.h"

namespace nsr {
namespace {

const Logger log("files");

uint32_t root_group(RestoreContext& ctx) {
  auto tree = ctx.images().all<pb::pstree_entry>(Img::pstree);
  return tree.empty() ? 0 : tree[0].pgid();
}

}  // namespace

Tty::Pair Tty::make_pair(UniqueFd master, const std::string& object) {
  Pair pair;
  pair.master = std::move(master);
  int unlocked = 0;
  uint32_t index = 0;
  if (!pair.master || ::ioctl(pair.master.get(), TIOCSPTLCK, &unlocked) != 0 ||
      ::ioctl(pair.master.get(), TIOCGPTN, &index) != 0)
    throw_errno(Failure::environment, object, "a pseudo-terminal cannot be made", errno);
  pair.slave.reset(::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.slave) throw_errno(Failure::environment, object, "the slave cannot be opened", errno);
  pair.path = format("/dev/pts/%u", index);
  pair.made = true;
  return pair;
}

bool Tty::leads_session(uint32_t sid, RestoreContext& ctx) {
  if (tasks_.empty())
    for (const auto& e : ctx.images().all<pb::pstree_entry>(Img::pstree)) tasks_.insert(e.pid());
  return sid != 0 && tasks_.count(sid) > 0;
}

Tty::Pair* Tty::stand_in(const pb::tty_info_entry& info, RestoreContext& ctx) {
  if (!ctx.options().shell_job || !ctx.can_relay() || !leads_session(info.sid(), ctx)) return nullptr;
  if (auto at = outside_.find(info.sid()); at != outside_.end()) return at->second.master ? &at->second : nullptr;
  for (const auto& [sid, pair] : outside_)
    if (pair.master) return nullptr;  // the caller has but one terminal
  const std::string object = format("terminal of session %u", info.sid());
  make_own_pairs(ctx);  // their numbers are given, this one's is not
  Pair pair = make_pair(UniqueFd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)), object);
  if (!apply_terminal_settings(pair.slave.get(), info))
    throw_errno(Failure::environment, object, "its settings cannot be set", errno);
  pair.info = info;
  ctx.relay(duplicate(pair.master.get(), object));
  log.info("session %u had its terminal from outside: it gets %s, which is relayed", info.sid(), pair.path.c_str());
  return &outside_.emplace(info.sid(), std::move(pair)).first->second;
}

void Tty::offer(const pb::tty_info_entry& info, int terminal, const std::string& object, RestoreContext& ctx) {
  if (!leads_session(info.sid(), ctx) || outside_.count(info.sid())) return;
  Pair pair;
  pair.slave = duplicate(terminal, object);
  pair.info = info;
  pair.path = object;
  outside_.emplace(info.sid(), std::move(pair));
}

Tty::Pair* Tty::terminal_of_session(uint32_t sid, RestoreContext& ctx) {
  const std::string object = format("terminal of session %u", sid);
  const pb::tty_info_entry* own = nullptr;
  for (const auto& [id, info] : infos_)
    if (sid != 0 && info.sid() == sid && (!own || own->type() == pb::CTTY)) own = &info;
  if (!own) return nullptr;
  if (own->has_pty() && has_master(own->pty().index(), ctx)) return &pair_of(*own, object, ctx);
  if (int given = inherited(ctx.options(), tty_key(own->rdev(), own->dev())); given >= 0) {
    offer(*own, given, object, ctx);
    auto at = outside_.find(sid);
    return at == outside_.end() ? nullptr : &at->second;
  }
  return stand_in(*own, ctx);
}

/// /dev/tty gives the terminal of whoever opens it, so the leader of the session does when it has a descriptor of it.
/// Else it is the same terminal by its own name.
void Tty::open_dev_tty(const pb::file_entry& entry, const Pair& own, RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id());
  int flags = reopen_flags(entry.tty().flags());
  NsPid leader(static_cast<int32_t>(own.info.sid()));
  if (tables_.holds(leader, entry.id(), ctx)) {
    opens_.provide(entry.id(), "/dev/tty", ctx, [flags](Program& p, Arena& arena) {
      p.call(SYS_openat, AT_FDCWD, arena.put_string("/dev/tty"), flags);
    });
    opens_.set_opener(entry.id(), leader);
    return;
  }
  ctx.provide(entry.id(), reopen(own.slave.get(), flags, object));
}

/// The terminal of whoever started the restore: the very description, as a job of a shell has it, where one fits.
UniqueFd Tty::open_callers(const pb::tty_info_entry& info, uint32_t flags, const std::string& object,
                           RestoreContext& ctx) {
  UniqueFd fd;
  int terminal = -1;
  for (int std_fd : {0, 1, 2}) {
    if (!::isatty(std_fd)) continue;
    terminal = std_fd;
    int now = ::fcntl(std_fd, F_GETFL);
    if (!fd && now >= 0 && ((static_cast<uint32_t>(now) ^ flags) & ~static_cast<uint32_t>(O_CLOEXEC)) == 0)
      fd = duplicate(std_fd, object);
  }
  std::string path = terminal < 0 ? "/dev/tty" : format("/proc/self/fd/%d", terminal);
  if (!fd) fd = close_on_exec(::open(path.c_str(), reopen_flags(flags)));
  if (!fd)
    throw_errno(Failure::environment, object, "there is no terminal to restore it on", errno,
                "start the restore from a terminal");
  if (!apply_terminal_settings(fd.get(), info))
    log.warn("%s: not all settings of the terminal could be set: %m", object.c_str());
  offer(info, fd.get(), object, ctx);
  // what runs in the background does not take the terminal; a dump from the same terminal saw itself in the foreground
  if (pid_t group = ::tcgetpgrp(fd.get()); group >= 0 && group == ::getpgrp())
    foreground_ = info.pgrp() != 0 ? info.pgrp() : root_group(ctx);
  return fd;
}

/// The first task with the caller's terminal puts the recorded group into its foreground.
void Tty::take_foreground(TaskStage& stage) {
  if (foreground_ == 0) return;
  auto f = std::find_if(stage.table.begin(), stage.table.end(), [&](const auto& e) { return callers_.count(e.id()); });
  if (f == stage.table.end()) return;
  Program& p = stage.program;
  uint64_t ttou = 1ull << (SIGTTOU - 1);
  RemoteAddr old = stage.arena.alloc(sizeof ttou);
  p.call(SYS_rt_sigprocmask, SIG_BLOCK, stage.arena.put(ttou), old, sizeof ttou);
  p.note("SIGTTOU blocked");
  p.allow(SYS_ioctl, f->fd(), TIOCSPGRP, stage.arena.put(static_cast<int32_t>(foreground_)));
  p.note(format("fd %u: foreground group %u", f->fd(), foreground_));
  p.call(SYS_rt_sigprocmask, SIG_SETMASK, old, 0, sizeof ttou);
  p.note("signal mask as before");
  foreground_ = 0;
}

void Tty::emit_task(TaskStage& stage) { take_foreground(stage); }

Tty::Pair* Tty::own_terminal(const TaskStage& stage) {
  for (auto& [index, pair] : pairs_)
    if (pair.info.sid() != 0 && static_cast<int32_t>(pair.info.sid()) == stage.pid.value) return &pair;
  auto at = outside_.find(static_cast<uint32_t>(stage.pid.value));
  return at == outside_.end() ? nullptr : &at->second;
}

/// The leader of a session takes its terminal, the others of the session get it from their parents. It may have no
/// descriptor of it, and no path that leads there.
void Tty::emit_session(TaskStage& stage) {
  Pair* own = own_terminal(stage);
  if (!own) return;
  Program& p = stage.program;
  if (own->made)
    p.call(SYS_ioctl, own->slave.get(), TIOCSCTTY, 0);
  else
    p.allow(SYS_ioctl, own->slave.get(), TIOCSCTTY, 0);  // EPERM: it is that of another session
  p.note(own->path + " as controlling terminal");
}

/// When all groups are there.
void Tty::emit_inherited(TaskStage& stage) {
  Pair* own = own_terminal(stage);
  if (!own || own->info.pgrp() == 0) return;
  // ESRCH: the group has no member left; ENOTTY: the terminal could not be taken
  stage.program.allow(SYS_ioctl, own->slave.get(), TIOCSPGRP, stage.arena.put(static_cast<int32_t>(own->info.pgrp())));
  stage.program.note(format("%s: foreground group %u", own->path.c_str(), own->info.pgrp()));
}

}  // namespace nsr
