#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/common.h"
#include "engine/files/ghost.h"
#include "engine/images/image_dir.h"
#include "ghost-file.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint64_t kUsualLimit = 1 << 20;
constexpr uint64_t kLeastChunked = 12288;  // smaller ones go without a chunk list, holes filled
constexpr size_t kBuffer = 256 * 1024;

/// POSIX shared memory and the like, which is as much memory of the tree as its other pages are.
bool is_memory(const OpenFile& file) {
  struct statfs fs {};
  return ::statfs(file.proc_path.c_str(), &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

void check_limit(const OpenFile& file, const FileOptions& options) {
  uint64_t bytes = static_cast<uint64_t>(file.st.st_blocks) * 512, limit = options.ghost_limit.value_or(kUsualLimit);
  if (bytes <= limit || (!options.ghost_limit && is_memory(file))) return;
  throw Error(Failure::unsupported, file.describe(),
              format("it is deleted and holds %llu bytes, more than --ghost-limit %llu",
                     static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(limit)),
              "raise --ghost-limit");
}

void copy_range(int fd, uint64_t from, uint64_t length, ImageWriter& out, const OpenFile& file) {
  std::string buffer(std::min<uint64_t>(kBuffer, length), '\0');
  while (length > 0) {
    size_t n = std::min<uint64_t>(buffer.size(), length);
    if (!pread_exact(fd, buffer.data(), n, static_cast<off_t>(from)))
      throw_errno(Failure::io, file.describe(), "its content cannot be read", errno);
    out.raw(buffer.data(), n);
    from += n;
    length -= n;
  }
}

/// SEEK_DATA/SEEK_HOLE (lseek(2)) tell the holes on every filesystem; where one does not know them it says one extent.
void write_chunks(int fd, uint64_t size, ImageWriter& out, const OpenFile& file) {
  uint64_t at = 0;
  while (at < size) {
    off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;  // a hole up to the end
    if (data < 0) throw_errno(Failure::io, file.describe(), "its holes cannot be found", errno);
    off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) throw_errno(Failure::io, file.describe(), "its holes cannot be found", errno);
    uint64_t end = std::min<uint64_t>(static_cast<uint64_t>(hole), size);
    pb::ghost_chunk_entry chunk;
    chunk.set_off(static_cast<uint64_t>(data));
    chunk.set_len(end - static_cast<uint64_t>(data));
    out.write(chunk);
    copy_range(fd, chunk.off(), chunk.len(), out, file);
    at = end;
  }
}

void set_time(pb::timeval& to, const timespec& from) {
  to.set_tv_sec(static_cast<uint64_t>(from.tv_sec));
  to.set_tv_usec(static_cast<uint64_t>(from.tv_nsec / 1000));
}

pb::ghost_file_entry describe_inode(const OpenFile& file, const UserMap& users) {
  const struct stat& st = file.st;
  pb::ghost_file_entry e;
  e.set_uid(users.uids.inner(st.st_uid));
  e.set_gid(users.gids.inner(st.st_gid));
  e.set_mode(st.st_mode);
  e.set_dev(major(st.st_dev) << 20 | minor(st.st_dev));
  e.set_ino(st.st_ino);
  set_time(*e.mutable_atim(), st.st_atim);
  set_time(*e.mutable_mtim(), st.st_mtim);
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) e.set_rdev(static_cast<uint32_t>(st.st_rdev));
  return e;
}

void write_regular(const OpenFile& file, pb::ghost_file_entry& entry, ImageWriter& out, DumpContext& ctx) {
  UniqueFd seen = ctx.borrow(file);
  // an own description: a write-only or O_PATH one cannot be read, and SEEK_DATA would move the task's position
  UniqueFd fd = reopen(seen.get(), O_RDONLY | O_NOATIME, file.describe());
  uint64_t size = static_cast<uint64_t>(file.st.st_size);
  bool chunked = size >= kLeastChunked && static_cast<uint64_t>(file.st.st_blocks) * 512 < size;
  entry.set_size(size);
  if (chunked) entry.set_chunks(true);
  out.write(entry);
  if (chunked)
    write_chunks(fd.get(), size, out, file);
  else
    copy_range(fd.get(), 0, size, out, file);
}

}  // namespace

uint32_t GhostDump::ghost_id(const OpenFile& file, DumpContext& ctx) {
  auto [at, fresh] = ids_.try_emplace({file.st.st_dev, file.st.st_ino}, static_cast<uint32_t>(ids_.size() + 1));
  if (!fresh) return at->second;
  if (S_ISREG(file.st.st_mode)) check_limit(file, ctx.options());
  ImageWriter out = ctx.images().create(Img::ghost_file, at->second);
  pb::ghost_file_entry entry = describe_inode(file, ctx.users());
  if (S_ISREG(file.st.st_mode)) {
    write_regular(file, entry, out, ctx);
  } else {
    if (S_ISLNK(file.st.st_mode)) {
      auto target = read_link_at(ctx.borrow(file).get(), "");
      if (!target) throw_errno(Failure::io, file.describe(), "the target of the link cannot be read", errno);
      entry.set_symlnk_target(*target);
    }
    out.write(entry);
  }
  out.finish();
  log.info("pid %d fd %d: ghost %u holds %s", file.pid.value, file.fd, at->second, file.link.c_str());
  return at->second;
}

}  // namespace nsr
