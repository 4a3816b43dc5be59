#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/covered.h"
#include "engine/files/named_files.h"
#include "engine/images/image_dir.h"
#include "ghost-file.pb.h"
#include "nsr-files.pb.h"
#include "remap-file-path.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint32_t kOldGhostBit = 1u << 31;  // how images without remap_type mark a ghost

UniqueFd open_path(const std::string& path, int flags, int tree_proc) {
  if (path.empty() || path[0] != '/') throw Error(Failure::image, "file " + path, "its path is not absolute");
  constexpr std::string_view kProc = "/proc/";
  bool below_proc = tree_proc >= 0 && (path + "/").starts_with(kProc);
  std::string there = path.size() > kProc.size() ? path.substr(kProc.size()) : ".";
  UniqueFd fd = close_on_exec(below_proc ? ::openat(tree_proc, there.c_str(), flags) : ::open(path.c_str(), flags));
  if (!fd)
    throw_errno(Failure::environment, path, format("cannot be opened with flags 0%o", flags), errno,
                "bring the file back as it was at the dump");
  return fd;
}

/// What the dump named with --external dev[MAJOR/MINOR]:NAME, at the path that --external dev[NAME]:PATH says now.
UniqueFd open_device(const pb::reg_file_entry& reg, int flags, const std::string& path) {
  UniqueFd fd = close_on_exec(::open(path.c_str(), flags));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0)
    throw_errno(Failure::environment, reg.name(), path + " cannot be opened", errno);
  if (((st.st_mode ^ reg.mode()) & S_IFMT) != 0)
    throw Error(
        Failure::environment, reg.name(),
        format("%s is of another type (mode 0%o) than at the dump (mode 0%o)", path.c_str(), st.st_mode, reg.mode()),
        "name the right device");
  if (reg.pos() != 0 && ::lseek(fd.get(), static_cast<off_t>(reg.pos()), SEEK_SET) < 0)
    log.warn("%s: its position %llu cannot be set: %m", reg.name().c_str(), static_cast<unsigned long long>(reg.pos()));
  return fd;
}

}  // namespace

const NamedFiles::Remap* NamedFiles::remap_of(uint32_t id, RestoreContext& ctx) {
  if (!remaps_read_) {
    for (const auto& r : ctx.images().all<pb::remap_file_path_entry>(Img::remap_fpath)) {
      Remap remap{r.remap_id(), r.remap_type()};
      if (!r.has_remap_type()) remap.type = r.remap_id() & kOldGhostBit ? pb::GHOST : pb::LINKED;
      if (!r.has_remap_type()) remap.id &= ~kOldGhostBit;
      if (!remaps_.emplace(r.orig_id(), remap).second)
        throw Error(Failure::image, image_name(Img::remap_fpath), format("names file id %u twice", r.orig_id()));
      const pb::file_entry* entry = ctx.entry(r.orig_id());
      if (remap.type == pb::LINKED) link_targets_.insert(remap.id);
      if (remap.type == pb::GHOST && entry && entry->has_reg())
        ghost_restore_.expect(remap.id, entry->reg().name(), entry->reg().flags());
    }
    remaps_read_ = true;
  }
  auto at = remaps_.find(id);
  return at == remaps_.end() ? nullptr : &at->second;
}

bool NamedFiles::is_link_target(uint32_t id, RestoreContext& ctx) {
  remap_of(id, ctx);
  return link_targets_.count(id) > 0;
}

const std::string* NamedFiles::beneath_of(uint32_t id, RestoreContext& ctx) {
  if (!beneath_read_)
    for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
      if (ext.has_beneath()) beneath_[ext.id()] = ext.beneath();
  beneath_read_ = true;
  auto at = beneath_.find(id);
  return at == beneath_.end() ? nullptr : &at->second;
}

UniqueFd NamedFiles::open_remapped(const pb::reg_file_entry& reg, const Remap& remap, int flags, RestoreContext& ctx) {
  if (remap.type == pb::GHOST) return open_ghost(reg, remap.id, flags, ctx);
  const pb::file_entry* target = remap.type == pb::LINKED ? ctx.entry(remap.id) : nullptr;
  if (!target || !target->has_reg())
    throw Error(Failure::image, reg.name(), format("is remapped to %u, which is no regular file", remap.id));
  used_links_.insert(target->reg().name());
  const std::string& link = target->reg().name();
  // /proc goes on showing the name that a file was opened by: the one it had, when that is free
  bool own_name = ::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, reg.name().c_str(), 0) == 0;
  UniqueFd fd = close_on_exec(::open(own_name ? reg.name().c_str() : link.c_str(), flags));
  int failed = errno;
  if (own_name) ::unlink(reg.name().c_str());
  if (!fd) throw_errno(Failure::environment, reg.name(), "cannot be opened as " + link, failed);
  validate_file(fd.get(), reg, ctx.options());
  return fd;
}

UniqueFd NamedFiles::open_ghost(const pb::reg_file_entry& reg, uint32_t id, int flags, RestoreContext& ctx) {
  ghost_restore_.handle(id, reg.name(), ctx);
  if (reg.flags() & __O_TMPFILE)
    if (UniqueFd made = ghost_restore_.take_unnamed(id)) {
      set_status_flags(made.get(), reg.flags(), reg.name());
      return made;
    }
  return ghost_restore_.open(id, reg.name(), flags, ctx);
}

UniqueFd NamedFiles::open(const pb::reg_file_entry& reg, int flags, RestoreContext& ctx) {
  int given = inherited(ctx.options(), reg.ext() || reg.name().empty() ? reg.name() : reg.name().substr(1));
  if (given >= 0) return duplicate(given, reg.name());
  auto path = reg.ext() ? external_value(ctx.options(), reg.name()) : std::nullopt;
  if (path && reg.has_mode()) return open_device(reg, flags, *path);
  if (reg.ext())
    throw Error(Failure::environment, reg.name(), "was outside of the tree at the dump",
                (reg.has_mode() ? "say where it is with --external '" + reg.name() + ":PATH', or " : "") +
                    "give it with --inherit-fd 'fd[N]:" + reg.name() + "'");
  if (const Remap* remap = remap_of(reg.id(), ctx)) return open_remapped(reg, *remap, flags, ctx);
  const std::string* beneath = beneath_of(reg.id(), ctx);
  UniqueFd fd = beneath ? open_beneath(*beneath, reg.name(), flags) : open_path(reg.name(), flags, ctx.tree_proc());
  validate_file(fd.get(), reg, ctx.options());
  return fd;
}

int NamedFiles::ghost_by_inode(uint32_t dev, uint64_t ino, RestoreContext& ctx) {
  remap_of(0, ctx);
  for (const auto& [id, remap] : remaps_) {
    const pb::file_entry* entry = remap.type == pb::GHOST ? ctx.entry(id) : nullptr;
    if (!entry || !entry->has_reg()) continue;
    pb::ghost_file_entry ghost;
    ctx.images().require(Img::ghost_file, remap.id).one(ghost);
    if (ghost.dev() == dev && ghost.ino() == ino) return ghost_restore_.handle(remap.id, entry->reg().name(), ctx);
  }
  return -1;
}

void NamedFiles::remove_links() {
  for (const std::string& path : used_links_)
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) log.warn("%s cannot be removed: %m", path.c_str());
}

}  // namespace nsr
