#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/regular.h"
#include "engine/images/image_dir.h"
#include "remap-file-path.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint32_t kOldGhostBit = 1u << 31;  // how images without remap_type mark a ghost

UniqueFd open_path(const std::string& path, uint32_t flags) {
  if (path.empty() || path[0] != '/') throw Error(Failure::image, "file " + path, "its path is not absolute");
  UniqueFd fd(::open(path.c_str(), reopen_flags(flags)));
  if (!fd)
    throw_errno(Failure::environment, path, format("cannot be opened with flags 0%o", flags), errno,
                "bring the file back as it was at the dump");
  return fd;
}

/// Only what a position means something for; /dev/kmsg and pipes-like devices have none.
void set_position(int fd, const pb::reg_file_entry& reg) {
  if (reg.pos() == 0 || (reg.flags() & O_PATH)) return;
  if (::lseek(fd, static_cast<off_t>(reg.pos()), SEEK_SET) == static_cast<off_t>(reg.pos())) return;
  throw_errno(Failure::environment, reg.name(),
              format("its position %llu cannot be set", static_cast<unsigned long long>(reg.pos())), errno);
}

}  // namespace

bool Regular::owns(const pb::file_entry& entry) const { return entry.type() == pb::REG && entry.has_reg(); }

std::string Regular::describe(const pb::file_entry& entry) const {
  const pb::reg_file_entry& reg = entry.reg();
  return format("%s%s, flags 0%o, position %llu", reg.ext() ? "external " : "", reg.name().c_str(), reg.flags(),
                static_cast<unsigned long long>(reg.pos()));
}

const Regular::Remap* Regular::remap_of(uint32_t id, RestoreContext& ctx) {
  if (!remaps_read_) {
    for (const auto& r : ctx.images().all<pb::remap_file_path_entry>(Img::remap_fpath)) {
      Remap remap{r.remap_id(), r.remap_type()};
      if (!r.has_remap_type()) remap.type = r.remap_id() & kOldGhostBit ? pb::GHOST : pb::LINKED;
      if (!r.has_remap_type()) remap.id &= ~kOldGhostBit;
      if (!remaps_.emplace(r.orig_id(), remap).second)
        throw Error(Failure::image, image_name(Img::remap_fpath), format("names file id %u twice", r.orig_id()));
    }
    remaps_read_ = true;
  }
  auto at = remaps_.find(id);
  return at == remaps_.end() ? nullptr : &at->second;
}

UniqueFd Regular::open_remapped(const pb::reg_file_entry& reg, const Remap& remap, RestoreContext& ctx) {
  if (remap.type == pb::GHOST) return ghost_restore_.open(remap.id, reg.name(), reopen_flags(reg.flags()), ctx);
  if (remap.type != pb::LINKED)
    throw Error(Failure::unsupported, reg.name(), "it is the /proc entry of a process that had ended");
  const pb::file_entry* target = ctx.entry(remap.id);
  if (!target || !target->has_reg())
    throw Error(Failure::image, reg.name(), format("is remapped to file id %u, which is no regular file", remap.id));
  used_links_.insert(target->reg().name());
  UniqueFd fd = open_path(target->reg().name(), reg.flags());
  validate_file(fd.get(), reg, ctx.options());
  return fd;
}

void Regular::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::reg_file_entry& reg = entry.reg();
  int given = inherited(ctx.options(), reg.ext() || reg.name().empty() ? reg.name() : reg.name().substr(1));
  if (given >= 0) {
    ctx.provide(entry.id(), duplicate(given, reg.name()));
    return;
  }
  if (reg.ext())
    throw Error(Failure::environment, reg.name(), "was outside of the tree at the dump",
                "give it with --inherit-fd 'fd[N]:" + reg.name() + "'");
  const Remap* remap = remap_of(entry.id(), ctx);
  UniqueFd fd;
  if (remap) {
    fd = open_remapped(reg, *remap, ctx);
  } else {
    fd = open_path(reg.name(), reg.flags());
    validate_file(fd.get(), reg, ctx.options());
  }
  set_position(fd.get(), reg);
  ctx.provide(entry.id(), std::move(fd));
}

void Regular::finish_restore(RestoreContext&) {
  for (const std::string& path : used_links_)
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) log.warn("%s cannot be removed: %m", path.c_str());
}

std::unique_ptr<Kind> make_regular_kind() { return std::make_unique<Regular>(); }

}  // namespace nsr
