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
#include "engine/files/tty_settings.h"
#include "engine/images/image_dir.h"
#include "nsr-files.pb.h"
#include "pstree.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr int kMostTries = 4096;  // pseudo-terminals opened on the way to a wanted index

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
    pair = make_pair(UniqueFd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)), object);
  else
    pair = make_pair(master_with_index(index, object), object);
  pair.info = info;
  for (const auto& [id, other] : infos_)
    if (other.has_pty() && other.pty().index() == index && (is_master(other) || !pair.info.has_termios()))
      pair.info = other;
  if (!hung_up && !apply_terminal_settings(pair.slave.get(), pair.info))
    throw_errno(Failure::environment, object, "its settings cannot be set", errno);
  return pair;
}

void Tty::make_own_pairs(RestoreContext& ctx) {
  for (const auto& [id, info] : infos_)
    if (info.has_pty() && has_master(info.pty().index(), ctx)) pair_of(info, format("terminal %u", id), ctx);
}

/// Owner and mode of the slave's device, which a record of the slave has.
void Tty::set_access(const Pair& pair, const pb::tty_info_entry& info, const pb::file_entry& entry,
                     RestoreContext& ctx) {
  const pb::file_entry* path = entry.tty().has_regf_id() ? ctx.entry(entry.tty().regf_id()) : nullptr;
  const UserMap& users = ctx.users();
  bool ok = !info.has_uid() || !info.has_gid() ||
            ::fchown(pair.slave.get(), users.uids.outer(info.uid()), users.gids.outer(info.gid())) == 0;
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
  if (!apply_terminal_settings(fd.get(), info))
    log.warn("%s: not all settings of %s could be set: %m", object.c_str(), name.c_str());
  offer(info, fd.get(), object, ctx);
  return fd;
}

void Tty::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::tty_info_entry& info = info_of(entry, ctx);
  if (int given = inherited(ctx.options(), tty_key(info.rdev(), info.dev())); given >= 0) {
    std::string object = image_object(name(), entry.id());
    offer(info, given, object, ctx);
    ctx.provide(entry.id(), duplicate(given, object));
    return;
  }
  if (info.type() == pb::CTTY) {
    if (const Pair* own = terminal_of_session(info.sid(), ctx)) return open_dev_tty(entry, *own, ctx);
  }
  if (is_host_terminal(info.type()) && !ctx.options().shell_job) {
    ctx.provide(entry.id(), open_host_terminal(entry, info, ctx));
    return;
  }
  bool pty = info.type() == pb::PTY && info.has_pty();
  bool hung_up = pty && !is_master(info) && !info.has_termios();
  if (!pty || (!has_master(info.pty().index(), ctx) && !hung_up)) return open_outside(entry, info, ctx);
  Pair& pair = pair_of(info, image_object(name(), entry.id()), ctx);
  if (is_master(info))
    provide_master(pair, entry, ctx);
  else
    provide_slave(pair, info, entry, ctx);
}

/// A terminal that is neither the tree's nor named by the host.
void Tty::open_outside(const pb::file_entry& entry, const pb::tty_info_entry& info, RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id()), key = tty_key(info.rdev(), info.dev());
  if (info.type() == pb::EXT_TTY)
    throw Error(Failure::environment, object, "was outside of the tree at the dump",
                "give it with --inherit-fd 'fd[N]:" + key + "'");
  if (!ctx.options().shell_job)
    throw Error(Failure::environment, object, "its other side was outside of the tree at the dump",
                "use --shell-job, or --inherit-fd 'fd[N]:" + key + "'");
  if (const Pair* pair = stand_in(info, ctx)) return provide_slave(*pair, info, entry, ctx);
  callers_.insert(entry.id());
  ctx.provide(entry.id(), open_callers(info, entry.tty().flags(), object, ctx));
}

void Tty::provide_master(Pair& pair, const pb::file_entry& entry, RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id());
  // a second open of /dev/ptmx is another pair: a master has one description
  if (std::exchange(pair.master_given, true))
    throw Error(Failure::image, object, format("the master of %s is there twice", pair.path.c_str()));
  UniqueFd fd = duplicate(pair.master.get(), object);
  set_status_flags(fd.get(), entry.tty().flags(), object);
  ctx.provide(entry.id(), std::move(fd));
}

void Tty::provide_slave(const Pair& pair, const pb::tty_info_entry& info, const pb::file_entry& entry,
                        RestoreContext& ctx) {
  std::string object = image_object(name(), entry.id());
  UniqueFd fd = close_on_exec(::ioctl(pair.master.get(), TIOCGPTPEER, reopen_flags(entry.tty().flags())));
  if (!fd) throw_errno(Failure::environment, object, "the slave cannot be opened", errno);
  if (info.has_termios()) set_access(pair, info, entry, ctx);  // none: it was hung up
  set_status_flags(fd.get(), entry.tty().flags(), object);
  ctx.provide(entry.id(), std::move(fd));
}

void Tty::read_queues(RestoreContext& ctx) {
  for (auto& data : ctx.images().all<pb::tty_data_entry>(Img::tty_data)) {
    auto info = infos_.find(data.tty_id());
    if (info == infos_.end() || !info->second.has_pty()) continue;
    TtyQueues& q = queues_[info->second.pty().index()];
    (is_master(info->second) ? q.output : q.input) = std::move(*data.mutable_data());
  }
  for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext)) {
    auto info = ext.has_tty() ? infos_.find(ext.tty().info_id()) : infos_.end();
    if (info == infos_.end() || !info->second.has_pty()) continue;
    TtyQueues& q = queues_[info->second.pty().index()];
    q.pieces.assign(ext.tty().pieces().begin(), ext.tty().pieces().end());
    q.stopped = ext.tty().stopped();
    uint64_t sum = 0;
    for (uint32_t piece : q.pieces) sum += piece / 2;
    if (sum > q.input.size())
      throw Error(Failure::image, image_name(Img::file_ext),
                  format("has lines of %llu bytes for terminal %u, whose input has %zu",
                         static_cast<unsigned long long>(sum), ext.tty().info_id(), q.input.size()));
  }
}

void Tty::set_modes(uint32_t index, const Pair& pair) {
  int on = 1;
  for (const auto& [id, info] : infos_) {
    if (!info.has_pty() || info.pty().index() != index) continue;
    int end = is_master(info) ? pair.master.get() : pair.slave.get();
    bool ok = true;
    if (info.packet_mode()) ok &= ::ioctl(end, TIOCPKT, &on) == 0;
    if (info.locked()) ok &= ::ioctl(end, TIOCSPTLCK, &on) == 0;
    if (info.exclusive()) ok &= ::ioctl(end, TIOCEXCL) == 0;
    if (!ok)
      throw_errno(Failure::environment, format("/dev/pts/%u", index),
                  "packet mode, lock or exclusive use cannot be set", errno);
  }
}

/// What would get in the way of opening the slaves comes last; then masters that no task holds go, which hangs up.
void Tty::finish_restore(RestoreContext& ctx) {
  read_queues(ctx);
  for (auto& [index, pair] : pairs_) {
    if (auto q = queues_.find(index); q != queues_.end() && has_master(index, ctx))
      feed_queues({pair.master.get(), pair.slave.get()}, q->second, format("/dev/pts/%u", index));
    set_modes(index, pair);
    if (pair.info.sid() == 0) pair.slave.reset();
    pair.master.reset();
  }
  for (auto& [sid, pair] : outside_) pair.master.reset();
}

std::unique_ptr<Kind> make_tty_kind() { return std::make_unique<Tty>(); }

}  // namespace nsr
