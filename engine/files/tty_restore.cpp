#include <asm/termbits.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/in_task.h"
#include "engine/files/tty.h"
#include "engine/images/image_dir.h"
#include "pstree.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr int kMostTries = 4096;  // pseudo-terminals opened on the way to a wanted index

struct termios unpack(const pb::termios_entry& e) {
  struct termios t {};
  t.c_iflag = e.c_iflag();
  t.c_oflag = e.c_oflag();
  t.c_cflag = e.c_cflag();
  t.c_lflag = e.c_lflag();
  t.c_line = static_cast<cc_t>(e.c_line());
  for (size_t i = 0; i < sizeof t.c_cc; ++i) {
    int word = static_cast<int>(i / 4);
    if (word < e.c_cc_size()) t.c_cc[i] = static_cast<cc_t>(e.c_cc(word) >> (i % 4 * 8));
  }
  return t;
}

/// Settings of a terminal change under SIGTTOU blocked: else a caller in the background would be stopped by them.
class BackgroundWrites {
 public:
  BackgroundWrites() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &set, &old_);
  }
  ~BackgroundWrites() { ::pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

 private:
  sigset_t old_;
};

bool apply_settings(int fd, const pb::tty_info_entry& info) {
  BackgroundWrites guard;
  bool ok = true;
  if (info.has_termios()) {
    struct termios t = unpack(info.termios());
    ok &= ::ioctl(fd, TCSETS, &t) == 0;
  }
  if (info.has_termios_locked()) {
    struct termios t = unpack(info.termios_locked());
    ok &= ::ioctl(fd, TIOCSLCKTRMIOS, &t) == 0;
  }
  if (info.has_winsize()) {
    struct winsize w {};
    w.ws_row = static_cast<unsigned short>(info.winsize().ws_row());
    w.ws_col = static_cast<unsigned short>(info.winsize().ws_col());
    w.ws_xpixel = static_cast<unsigned short>(info.winsize().ws_xpixel());
    w.ws_ypixel = static_cast<unsigned short>(info.winsize().ws_ypixel());
    ok &= ::ioctl(fd, TIOCSWINSZ, &w) == 0;
  }
  return ok;
}

/// The pair with this index: the kernel gives the lowest free one, so those below are taken and let go of again.
UniqueFd master_with_index(uint32_t index, const std::string& object) {
  std::vector<UniqueFd> lower;
  for (int i = 0; i < kMostTries; ++i) {
    UniqueFd fd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, "/dev/ptmx cannot be opened", errno);
    uint32_t got = 0;
    if (::ioctl(fd.get(), TIOCGPTN, &got) != 0)
      throw_errno(Failure::environment, object, "the number of a pseudo-terminal cannot be read", errno);
    if (got == index) return fd;
    if (got > index) break;
    lower.push_back(std::move(fd));
  }
  throw Error(Failure::environment, object, format("pseudo-terminal /dev/pts/%u is in use on this host", index),
              "use ns-restore, which gives the tree a /dev/pts of its own then");
}

uint32_t root_group(RestoreContext& ctx) {
  auto tree = ctx.images().all<pb::pstree_entry>(Img::pstree);
  return tree.empty() ? 0 : tree[0].pgid();
}

bool is_master(const pb::tty_info_entry& info) { return major(info.rdev()) == 5 && minor(info.rdev()) == 2; }

}  // namespace

bool Tty::owns(const pb::file_entry& entry) const { return entry.type() == pb::TTY && entry.has_tty(); }

std::string Tty::describe(const pb::file_entry& entry) const {
  uint32_t id = entry.tty().tty_info_id();
  return format("terminal, settings %u, flags 0%o", id, entry.tty().flags());
}

void Tty::read_infos(RestoreContext& ctx) {
  infos_read_ = true;
  for (auto& info : ctx.images().all<pb::tty_info_entry>(Img::tty_info)) {
    uint32_t id = info.id();
    if (!infos_.emplace(id, std::move(info)).second)
      throw Error(Failure::image, image_name(Img::tty_info), format("has terminal %u twice", id));
  }
}

const pb::tty_info_entry& Tty::info_of(const pb::file_entry& entry, RestoreContext& ctx) {
  if (!infos_read_) read_infos(ctx);
  auto at = infos_.find(entry.tty().tty_info_id());
  if (at == infos_.end())
    throw Error(Failure::image, image_object(name(), entry.id()),
                format("%s has no terminal %u", image_name(Img::tty_info).c_str(), entry.tty().tty_info_id()));
  return at->second;
}

bool Tty::has_master(uint32_t index, RestoreContext& ctx) {
  if (masters_.empty()) {
    masters_[UINT32_MAX] = false;  // looked for once
    for (const pb::file_entry* e : ctx.entries()) {
      if (!owns(*e)) continue;
      const pb::tty_info_entry& info = info_of(*e, ctx);
      if (is_master(info)) masters_[info.pty().index()] = true;
    }
  }
  auto at = masters_.find(index);
  return at != masters_.end() && at->second;
}

const pb::tty_info_entry* Tty::terminal_of_session(uint32_t sid, RestoreContext& ctx) {
  for (const auto& [id, info] : infos_)
    if (sid != 0 && info.sid() == sid && info.has_pty() && has_master(info.pty().index(), ctx)) return &info;
  return nullptr;
}

void Tty::find_place(RestoreContext& ctx) {
  if (std::exchange(place_found_, true) || !ctx.options().own_mounts) return;
  bool taken = false;
  for (const auto& [id, info] : infos_)
    if (is_master(info)) taken |= ::access(format("/dev/pts/%u", info.pty().index()).c_str(), F_OK) == 0;
  if (!taken) return;
  // /dev/ptmx opens whatever is mounted beside it (Documentation/filesystems/devpts.rst)
  if (::mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5") != 0)
    throw_errno(Failure::environment, "/dev/pts", "numbers of pseudo-terminals are in use on this host, and an own one",
                errno);
  log.info("numbers of pseudo-terminals are in use on this host: the tree gets a /dev/pts of its own");
}

Tty::Pair& Tty::pair_of(const pb::tty_info_entry& info, const std::string& object, RestoreContext& ctx) {
  uint32_t index = info.pty().index();
  auto [at, fresh] = pairs_.try_emplace(index);
  Pair& pair = at->second;
  if (!fresh) return pair;
  find_place(ctx);
  // without a master in the tree it was hung up: any number will do, nobody can find it by its name
  bool hung_up = !has_master(index, ctx);
  if (hung_up)
    pair.master.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  else
    pair.master = master_with_index(index, object);
  int unlocked = 0;
  if (!pair.master || ::ioctl(pair.master.get(), TIOCSPTLCK, &unlocked) != 0)
    throw_errno(Failure::environment, object, "a pseudo-terminal cannot be made", errno);
  pair.slave.reset(::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.slave) throw_errno(Failure::environment, object, "the slave cannot be opened", errno);
  pair.info = info;
  for (const auto& [id, other] : infos_)
    if (other.has_pty() && other.pty().index() == index && (is_master(other) || !pair.info.has_termios()))
      pair.info = other;
  if (!hung_up && !apply_settings(pair.slave.get(), pair.info))
    throw_errno(Failure::environment, object, "its settings cannot be set", errno);
  return pair;
}

/// Owner and mode of the slave's device, which a record of the slave has.
void Tty::set_access(const Pair& pair, const pb::tty_info_entry& info, const pb::file_entry& entry,
                     RestoreContext& ctx) {
  const pb::file_entry* path = entry.tty().has_regf_id() ? ctx.entry(entry.tty().regf_id()) : nullptr;
  bool ok = !info.has_uid() || !info.has_gid() || ::fchown(pair.slave.get(), info.uid(), info.gid()) == 0;
  if (path && path->has_reg() && path->reg().has_mode())
    ok = ok && ::fchmod(pair.slave.get(), path->reg().mode() & 07777) == 0;
  if (!ok)
    throw_errno(Failure::environment, image_object(name(), entry.id()), "owner and mode of the slave cannot be set",
                errno);
}

UniqueFd Tty::open_host_terminal(const pb::file_entry& entry, const pb::tty_info_entry& info, RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id());
  const pb::file_entry* path = entry.tty().has_regf_id() ? ctx.entry(entry.tty().regf_id()) : nullptr;
  if (!path || !path->has_reg()) throw Error(Failure::image, object, "its path is not in the images");
  const std::string& name = path->reg().name();
  UniqueFd fd = close_on_exec(::open(name.c_str(), reopen_flags(entry.tty().flags())));
  if (!fd) throw_errno(Failure::environment, object, name + " cannot be opened", errno);
  if (!apply_settings(fd.get(), info))
    log.warn("%s: not all settings of %s could be set: %m", object.c_str(), name.c_str());
  return fd;
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
  if (!apply_settings(fd.get(), info))
    log.warn("%s: not all settings of the terminal could be set: %m", object.c_str());
  // what runs in the background does not take the terminal; a dump from the same terminal saw itself in the foreground
  if (pid_t group = ::tcgetpgrp(fd.get()); group >= 0 && group == ::getpgrp())
    foreground_ = info.pgrp() != 0 ? info.pgrp() : root_group(ctx);
  return fd;
}

/// /dev/tty gives the terminal of whoever opens it, so the leader of the session does when it has a descriptor of it.
/// Else it is the same terminal by its own name.
void Tty::open_dev_tty(const pb::file_entry& entry, const pb::tty_info_entry& own, RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id());
  int flags = reopen_flags(entry.tty().flags());
  Pair& pair = pair_of(own, object, ctx);
  NsPid leader(static_cast<int32_t>(own.sid()));
  if (tables_.holds(leader, entry.id(), ctx)) {
    opens_.provide(entry.id(), "/dev/tty", ctx, [flags](Program& p, Arena& arena) {
      p.call(SYS_openat, AT_FDCWD, arena.put_string("/dev/tty"), flags);
    });
    opens_.set_opener(entry.id(), leader);
    return;
  }
  UniqueFd slave = close_on_exec(::ioctl(pair.master.get(), TIOCGPTPEER, flags));
  if (!slave) throw_errno(Failure::environment, object, "the slave cannot be opened", errno);
  ctx.provide(entry.id(), std::move(slave));
}

void Tty::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::tty_info_entry& info = info_of(entry, ctx);
  std::string object = image_object(name(), entry.id());
  std::string key = tty_key(info.rdev(), info.dev());
  uint32_t flags = entry.tty().flags();
  if (int given = inherited(ctx.options(), key); given >= 0) {
    ctx.provide(entry.id(), duplicate(given, object));
    return;
  }
  if (info.type() == pb::EXT_TTY)
    throw Error(Failure::environment, object, "was outside of the tree at the dump",
                "give it with --inherit-fd 'fd[N]:" + key + "'");
  if (info.type() == pb::CTTY && !ctx.options().shell_job) {
    if (const pb::tty_info_entry* own = terminal_of_session(info.sid(), ctx)) {
      open_dev_tty(entry, *own, ctx);
      return;
    }
  }
  if (is_host_terminal(info.type()) && !ctx.options().shell_job) {
    ctx.provide(entry.id(), open_host_terminal(entry, info, ctx));
    return;
  }
  bool pty = info.type() == pb::PTY && info.has_pty();
  bool hung_up = pty && !is_master(info) && !info.has_termios();
  if (!pty || (!has_master(info.pty().index(), ctx) && !hung_up)) {
    if (!ctx.options().shell_job)
      throw Error(Failure::environment, object, "its other side was outside of the tree at the dump",
                  "use --shell-job, or --inherit-fd 'fd[N]:" + key + "'");
    callers_.insert(entry.id());
    ctx.provide(entry.id(), open_callers(info, flags, object, ctx));
    return;
  }
  Pair& pair = pair_of(info, object, ctx);
  UniqueFd fd;
  if (is_master(info)) {
    // a second open of /dev/ptmx is another pair: a master has one description
    if (pair.master_given)
      throw Error(Failure::image, object, format("the master of /dev/pts/%u is there twice", info.pty().index()));
    pair.master_given = true;
    fd = duplicate(pair.master.get(), object);
  } else {
    fd = close_on_exec(::ioctl(pair.master.get(), TIOCGPTPEER, reopen_flags(flags)));
    if (!fd) throw_errno(Failure::environment, object, "the slave cannot be opened", errno);
    if (!hung_up) set_access(pair, info, entry, ctx);
  }
  set_status_flags(fd.get(), flags, object);
  ctx.provide(entry.id(), std::move(fd));
}

/// What would get in the way of opening the slaves comes last; then masters that no task holds go, which hangs up.
void Tty::finish_restore(RestoreContext&) {
  for (auto& [index, pair] : pairs_) {
    std::string object = format("/dev/pts/%u", index);
    int on = 1;
    for (const auto& [id, info] : infos_) {
      if (!info.has_pty() || info.pty().index() != index) continue;
      int end = is_master(info) ? pair.master.get() : pair.slave.get();
      bool ok = true;
      if (info.packet_mode()) ok &= ::ioctl(end, TIOCPKT, &on) == 0;
      if (info.locked()) ok &= ::ioctl(end, TIOCSPTLCK, &on) == 0;
      if (info.exclusive()) ok &= ::ioctl(end, TIOCEXCL) == 0;
      if (!ok) throw_errno(Failure::environment, object, "packet mode, lock or exclusive use cannot be set", errno);
    }
    if (pair.info.sid() == 0) pair.slave.reset();
    pair.master.reset();
  }
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

std::pair<const uint32_t, Tty::Pair>* Tty::own_terminal(const TaskStage& stage) {
  for (auto& at : pairs_)
    if (at.second.info.sid() != 0 && static_cast<int32_t>(at.second.info.sid()) == stage.pid.value) return &at;
  return nullptr;
}

/// The leader of a session takes its terminal, the others of the session get it from their parents. It may have no
/// descriptor of it, and no path that leads there.
void Tty::emit_session(TaskStage& stage) {
  auto* own = own_terminal(stage);
  if (!own) return;
  stage.program.call(SYS_ioctl, own->second.slave.get(), TIOCSCTTY, 0);
  stage.program.note(format("/dev/pts/%u as controlling terminal", own->first));
}

/// When all groups are there.
void Tty::emit_inherited(TaskStage& stage) {
  auto* own = own_terminal(stage);
  if (!own || own->second.info.pgrp() == 0) return;
  // ESRCH: the group has no member left
  stage.program.allow(SYS_ioctl, own->second.slave.get(), TIOCSPGRP,
                      stage.arena.put(static_cast<int32_t>(own->second.info.pgrp())));
  stage.program.note(format("/dev/pts/%u: foreground group %u", own->first, own->second.info.pgrp()));
}

std::unique_ptr<Kind> make_tty_kind() { return std::make_unique<Tty>(); }

}  // namespace nsr
