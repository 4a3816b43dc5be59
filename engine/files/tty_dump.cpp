#include <asm/termbits.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/tty.h"
#include "engine/files/tty_settings.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "nsr-files.pb.h"

namespace nsr {
namespace {

const Logger log("files");

}  // namespace

std::optional<TtyNumber> tty_number(dev_t rdev) {
  unsigned maj = major(rdev), min = minor(rdev);
  if (maj >= 136 && maj <= 143) return TtyNumber{pb::PTY, false, (maj - 136) * 256 + min};
  if (maj == 5 && min == 2) return TtyNumber{pb::PTY, true, 0};
  if (maj == 5 && min == 0) return TtyNumber{pb::CTTY, false, 0};
  if (maj == 5 && min == 1) return TtyNumber{pb::CONSOLE, false, 0};
  if (maj == 4 && min < 64) return TtyNumber{pb::VT, false, min};
  if (maj == 4 || maj == 188 || maj == 204) return TtyNumber{pb::SERIAL, false, min};
  return std::nullopt;
}

std::string tty_key(uint64_t rdev, uint64_t dev) {
  return format("tty[%lx:%lx]", static_cast<unsigned long>(rdev), static_cast<unsigned long>(dev));
}

bool Tty::match(const OpenFile& file) const {
  return S_ISCHR(file.st.st_mode) && !(file.flags & O_PATH) && tty_number(file.st.st_rdev).has_value();
}

void Tty::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  entry.set_type(pb::TTY);
  TtyNumber number = *tty_number(file.st.st_rdev);
  UniqueFd fd = ctx.borrow(file);
  if (number.master && ::ioctl(fd.get(), TIOCGPTN, &number.index) != 0)
    throw_errno(Failure::unsupported, file.describe(), "the number of the pseudo-terminal cannot be read", errno);
  // one record for each end of a pair; other terminals by their device number, out of reach of the pairs' ids
  uint32_t id = number.type == pb::PTY ? number.index * 2 + number.master
                                       : 0x80000000u | (major(file.st.st_rdev) << 20 | minor(file.st.st_rdev));
  // /dev/tty is another terminal for each session
  if (number.type == pb::CTTY)
    id = 0xc0000000u | static_cast<uint32_t>(procfs::parse_stat(procfs::ProcDir(file.pid).read("stat")).session);
  pb::tty_file_entry& e = *entry.mutable_tty();
  e.set_id(entry.id());
  e.set_tty_info_id(id);
  e.set_flags(kept_flags(file, fd.get()));
  *e.mutable_fown() = ctx.owner_of(fd.get());
  e.set_regf_id(dump_path(file, ctx));
  dump_info(file, fd.get(), number, id, ctx);
  if (number.type == pb::PTY) note_end(file, std::move(fd), number, entry.id());
}

void Tty::note_end(const OpenFile& file, UniqueFd fd, const TtyNumber& number, uint32_t id) {
  Queued& queued = queued_[number.index];
  if (number.master) {
    queued.master = std::move(fd);
    queued.master_file = id;
  } else if (!queued.slave) {
    queued.slave_file = id;
    // for reading and writing, and never one that blocks
    if ((file.flags & O_ACCMODE) == O_RDWR)
      queued.slave = std::move(fd);
    else
      queued.slave.reset(
          ::open(format("/proc/self/fd/%d", fd.get()).c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  }
}

/// Of a pair whose master is outside the queues stay where they are.
void Tty::dump_queues(DumpContext& ctx) {
  std::vector<TtyEnds> ends;
  std::vector<std::pair<uint32_t, const Queued*>> of;
  for (const auto& [index, queued] : queued_) {
    if (!queued.master) continue;
    ends.push_back({queued.master.get(), queued.slave ? queued.slave.get() : -1});
    of.emplace_back(index, &queued);
  }
  if (ends.empty()) return;
  std::vector<TtyQueues> all = look_into(ends);
  for (size_t i = 0; i < all.size(); ++i) {
    const TtyQueues& q = all[i];
    auto [index, queued] = of[i];
    auto put = [&](uint32_t info_id, const std::string& bytes) {
      if (bytes.empty()) return;
      pb::tty_data_entry data;
      data.set_tty_id(info_id);
      data.set_data(bytes);
      ctx.images().append(Img::tty_data).write(data);
    };
    put(index * 2 + 1, q.output);
    put(index * 2, q.input);
    if (q.pieces.empty() && q.stopped == TtyQueues::running) continue;
    pb::nsr_file_entry ext;
    ext.set_id(queued->slave_file);
    ext.mutable_tty()->set_info_id(index * 2);
    ext.mutable_tty()->mutable_pieces()->Add(q.pieces.begin(), q.pieces.end());
    ext.mutable_tty()->set_stopped(q.stopped);
    ctx.images().append(Img::file_ext).write(ext);
  }
  queued_.clear();
}

uint32_t Tty::dump_path(const OpenFile& file, DumpContext& ctx) {
  pb::file_entry path;
  path.set_type(pb::REG);
  path.set_id(ctx.new_file_id());
  pb::reg_file_entry& reg = *path.mutable_reg();
  reg.set_id(path.id());
  reg.set_flags(file.flags);
  reg.set_pos(0);
  *reg.mutable_fown() = no_owner();
  reg.set_name(file.link);
  reg.set_mode(file.st.st_mode);
  ctx.add_file(path);
  return path.id();
}

void Tty::dump_info(const OpenFile& file, int fd, const TtyNumber& number, uint32_t id, DumpContext& ctx) {
  if (number.master) masters_[number.index] = true;
  if (!dumped_.emplace(id, true).second) return;
  std::string key = tty_key(file.st.st_rdev, file.st.st_dev);
  bool external = is_external(ctx.options(), key);
  if (!number.master && !external && !is_host_terminal(number.type))
    pending_[id] = {file.describe(), key, number.index, 0, number.type == pb::PTY};
  pb::tty_info_entry info;
  info.set_id(id);
  info.set_type(external ? pb::EXT_TTY : number.type);
  info.set_rdev(static_cast<uint32_t>(file.st.st_rdev));
  info.set_dev(static_cast<uint32_t>(file.st.st_dev));
  info.set_uid(ctx.users().uids.inner(file.st.st_uid));
  info.set_gid(ctx.users().gids.inner(file.st.st_gid));
  info.set_sid(0);
  info.set_pgrp(0);
  put_terminal_settings(fd, number.master, info);
  if (number.type == pb::PTY) info.mutable_pty()->set_index(number.index);
  session_of(file, fd, number, info, ctx);
  if (auto at = pending_.find(id); at != pending_.end()) at->second.sid = info.sid();
  if ((number.master || external) && info.sid() != 0) sessions_.insert(info.sid());
  if (info.has_termios() == false && !number.master) pending_.erase(id);  // hung up: needs nobody
  ctx.images().append(Img::tty_info).write(info);
}

/// A master answers for its pair; of a slave only its own session may ask, so a task that lives in it is looked for.
void Tty::session_of(const OpenFile& file, int fd, const TtyNumber& number, pb::tty_info_entry& info,
                     DumpContext& ctx) {
  pid_t sid = 0, pgrp = 0;
  if (number.master) {
    if (::ioctl(fd, TIOCGSID, &sid) != 0) sid = 0;
    if (::ioctl(fd, TIOCGPGRP, &pgrp) != 0) pgrp = 0;
  } else {
    std::set<HostPid> asked;
    for (const OpenFile& f : ctx.all_open_files()) {
      if (!asked.insert(f.pid).second) continue;
      procfs::Stat st = procfs::parse_stat(procfs::ProcDir(f.pid).read("stat"));
      bool here =
          number.type == pb::CTTY ? f.pid == file.pid : makedev(st.tty_major(), st.tty_minor()) == file.st.st_rdev;
      if (!here) continue;
      sid = st.session;
      pgrp = st.tpgid;
      break;
    }
  }
  if (auto inner = ctx.inner_pid(HostPid(sid)); sid > 0 && inner) info.set_sid(static_cast<uint32_t>(inner->value));
  if (auto inner = ctx.inner_pid(HostPid(pgrp)); pgrp > 0 && inner) info.set_pgrp(static_cast<uint32_t>(inner->value));
}

void Tty::finish_dump(DumpContext& ctx) {
  for (const auto& [id, p] : pending_) {
    if (p.pty && masters_.count(p.index)) continue;
    if (!p.pty && p.sid != 0 && sessions_.count(p.sid)) continue;
    if (ctx.options().shell_job) continue;
    throw Error(Failure::unsupported, p.object,
                p.pty ? "its master is outside of the tree" : "it is a terminal that the tree does not own",
                "use --shell-job, or --external " + p.key + " and --inherit-fd");
  }
  dump_queues(ctx);
}

}  // namespace nsr
