#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/build_id.h"
#include "engine/files/covered.h"
#include "engine/files/named_files.h"
#include "engine/images/image_dir.h"
#include "nsr-files.pb.h"
#include "remap-file-path.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr std::string_view kDeleted = " (deleted)";

bool strip_deleted(std::string& path) {
  if (path.size() <= kDeleted.size() || !std::string_view(path).ends_with(kDeleted)) return false;
  path.resize(path.size() - kDeleted.size());
  return true;
}

bool is_sysctl(const std::string& path) {
  struct statfs fs {};
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && path.find("/sys/") != std::string::npos;
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

bool is_device(const OpenFile& file) {
  return !(file.flags & O_PATH) && (S_ISCHR(file.st.st_mode) || S_ISBLK(file.st.st_mode));
}

std::string device_key(const OpenFile& file) {
  return format("dev[%u/%u]", major(file.st.st_rdev), minor(file.st.st_rdev));
}

void check_device(const OpenFile& file) {
  if (!is_device(file)) return;
  const char* refusal = nullptr;
  if (S_ISBLK(file.st.st_mode)) refusal = "it is a block device: what it holds is state of this host";
  if (S_ISCHR(file.st.st_mode)) refusal = device_refusal(file.st.st_rdev, file.link);
  if (refusal)
    throw Error(Failure::unsupported, file.describe(), refusal,
                "if it can be opened again: --external " + device_key(file) +
                    ":NAME here, and at the restore --external dev[NAME]:PATH or --inherit-fd fd[N]:dev[NAME]");
}

}  // namespace

NamedFiles::~NamedFiles() {
  // a dump that did not come to its end leaves no names behind
  for (const std::string& path : made_links_)
    if (::unlink(path.c_str()) != 0) log.error("%s cannot be removed: %m", path.c_str());
}

bool NamedFiles::leads_to(const OpenFile& file, const std::string& path) {
  struct stat st {};
  std::string here = paths_.from_engine(file.pid, path);
  if (::lstat(here.c_str(), &st) != 0 || st.st_dev != file.st.st_dev) return false;
  // sysctl files are told apart by the namespaces of who looks, so that ours is another inode of that /proc
  return st.st_ino == file.st.st_ino || is_sysctl(here);
}

void NamedFiles::dump(const OpenFile& file, uint32_t id, pb::reg_file_entry& reg, DumpContext& ctx) {
  UniqueFd seen = ctx.borrow(file);
  reg.set_flags(kept_flags(file, seen.get()));
  reg.set_pos(file.flags & O_PATH ? 0 : file.pos);
  *reg.mutable_fown() = ctx.owner_of(seen.get());
  // F_NOTIFY (fcntl(2)) shows nowhere but in the owner that it sets
  if (S_ISDIR(file.st.st_mode) && reg.fown().pid() != 0)
    log.warn("%s: it has an owner for signals: if it asked for F_NOTIFY, that is lost", file.describe().c_str());
  if (is_external(ctx.options(), external_key(file))) {
    reg.set_name(external_key(file));
    reg.set_ext(true);
    return;
  }
  if (auto name = is_device(file) ? external_value(ctx.options(), device_key(file)) : std::nullopt) {
    reg.set_name("dev[" + *name + "]");
    reg.set_ext(true);
    reg.set_mode(file.st.st_mode);
    return;
  }
  check_device(file);
  reg.set_name(name_of(file, id, ctx));
  dump_content_marks(file, seen.get(), reg, ctx);
}

uint32_t NamedFiles::dump_extra(const OpenFile& file, DumpContext& ctx) {
  pb::file_entry entry;
  entry.set_type(pb::REG);
  entry.set_id(ctx.new_file_id());
  entry.mutable_reg()->set_id(entry.id());
  dump(file, entry.id(), *entry.mutable_reg(), ctx);
  ctx.add_file(entry);
  return entry.id();
}

void NamedFiles::dump_content_marks(const OpenFile& file, int borrowed, pb::reg_file_entry& reg, DumpContext& ctx) {
  reg.set_mode(file.st.st_mode);
  if (!S_ISREG(file.st.st_mode)) return;
  // a log that others may go on writing: nothing to compare with
  bool log_file = (file.flags & O_ACCMODE) == O_WRONLY && (file.flags & O_APPEND);
  if (!log_file) reg.set_size(static_cast<uint64_t>(file.st.st_size));
  bool readable = (file.flags & O_ACCMODE) != O_WRONLY && !(file.flags & O_PATH) && !(file.flags & O_DIRECT);
  if (!ctx.options().validate_build_id || !readable) return;
  auto [at, fresh] = build_ids_.try_emplace(Inode(file.st.st_dev, file.st.st_ino));
  if (fresh) at->second = read_build_id(borrowed);
  for (uint32_t word : at->second) reg.add_build_id(word);
}

std::string NamedFiles::name_of(const OpenFile& file, uint32_t id, DumpContext& ctx) {
  std::string path = file.link;
  if (leads_to(file, path)) return path;  // also a file whose real name ends in " (deleted)"
  bool deleted = strip_deleted(path);
  if (file.st.st_nlink == 0) {
    dump_ghost(file, id, ctx);
    return path;
  }
  if (auto mountpoint = deleted ? std::nullopt : covered_mount(file, path)) {
    pb::nsr_file_entry ext;
    ext.set_id(id);
    ext.set_beneath(*mountpoint);
    ctx.images().append(Img::file_ext).write(ext);
    return path;
  }
  struct stat st {};
  bool taken = ::lstat(paths_.from_engine(file.pid, path).c_str(), &st) == 0;
  if (S_ISCHR(file.st.st_mode) && ctx.options().evasive_devices && taken && S_ISCHR(st.st_mode) &&
      st.st_rdev == file.st.st_rdev)
    return path;
  if (!deleted)
    throw Error(Failure::unsupported, file.describe(),
                taken ? "its path leads to another file now"
                      : "its path leads nowhere in the mounts of its task: it was opened outside of them",
                "use --external " + external_key(file));
  if (file.fd < 0 && deleted && !ctx.options().link_remap)
    if (auto other = name_beside(file, path)) return *other;
  dump_link(file, path, id, ctx);
  return path;
}

/// sem_open(3) makes its file under a passing name, so a semaphore's mapping never shows the name that it has.
std::optional<std::string> NamedFiles::name_beside(const OpenFile& file, const std::string& path) {
  const std::string directory = directory_of(path);
  std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(paths_.from_engine(file.pid, directory).c_str()), ::closedir);
  if (!entries) return std::nullopt;
  while (const dirent* e = ::readdir(entries.get()))
    if (e->d_ino == file.st.st_ino && leads_to(file, directory + e->d_name)) return directory + e->d_name;
  return std::nullopt;
}

void NamedFiles::dump_ghost(const OpenFile& file, uint32_t id, DumpContext& ctx) {
  pb::remap_file_path_entry remap;
  remap.set_orig_id(id);
  remap.set_remap_id(ghost_dump_.ghost_id(file, ctx));
  remap.set_remap_type(pb::GHOST);
  ctx.images().append(Img::remap_fpath).write(remap);
}

void NamedFiles::dump_link(const OpenFile& file, const std::string& path, uint32_t id, DumpContext& ctx) {
  if (S_ISDIR(file.st.st_mode))
    throw Error(Failure::unsupported, file.describe(), "its path does not lead to this directory any more",
                "use --external " + external_key(file));
  if (!ctx.options().link_remap)
    throw Error(Failure::unsupported, file.describe(), "this name was removed, but the file has another one",
                "use --link-remap to give it a temporary name");
  auto [at, fresh] = links_.try_emplace(Inode(file.st.st_dev, file.st.st_ino));
  if (fresh) {
    at->second = ctx.new_file_id();
    std::string directory = directory_of(path);
    // the directory may be gone too: then the nearest one above it that is left
    while (directory != "/" && ::access(paths_.from_engine(file.pid, directory).c_str(), F_OK) != 0)
      directory = directory_of(directory.substr(0, directory.size() - 1));
    std::string link = directory + format("link_remap.%u", at->second);
    std::string here = paths_.from_engine(file.pid, link);
    // AT_SYMLINK_FOLLOW through /proc needs CAP_DAC_READ_SEARCH or ownership (open(2)); a name that is taken by an
    // older dump of the same id belongs to images that may still be wanted
    if (::linkat(AT_FDCWD, file.proc_path.c_str(), AT_FDCWD, here.c_str(), AT_SYMLINK_FOLLOW) != 0)
      throw_errno(Failure::unsupported, file.describe(), "it cannot be linked as " + link, errno);
    made_links_.push_back(here);
    pb::file_entry target;
    target.set_type(pb::REG);
    target.set_id(at->second);
    pb::reg_file_entry& reg = *target.mutable_reg();
    reg.set_id(at->second);
    reg.set_flags(O_RDONLY);
    reg.set_pos(0);
    *reg.mutable_fown() = no_owner();
    reg.set_name(link);
    reg.set_mode(file.st.st_mode);
    ctx.add_file(target);
  }
  pb::remap_file_path_entry remap;
  remap.set_orig_id(id);
  remap.set_remap_id(at->second);
  remap.set_remap_type(pb::LINKED);
  ctx.images().append(Img::remap_fpath).write(remap);
}

}  // namespace nsr
