#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/memory_object.h"
#include "engine/files/common.h"
#include "engine/files/ghost.h"
#include "engine/images/image_dir.h"
#include "ghost-file.pb.h"

namespace nsr {
namespace {

constexpr size_t kBuffer = 256 * 1024;

/// Names made for a ghost; they go with this object.
class Names {
 public:
  ~Names() {
    for (const auto& path : paths_) ::unlinkat(AT_FDCWD, path.c_str(), directory_ ? AT_REMOVEDIR : 0);
    for (auto p = parents_.rbegin(); p != parents_.rend(); ++p) ::rmdir(p->c_str());
  }

  /// Directories of the path that are gone too, made again for the moment.
  void make_parents(const std::string& path, const std::string& object) {
    for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      std::string parent = path.substr(0, slash);
      if (::mkdir(parent.c_str(), 0700) == 0)
        parents_.push_back(parent);
      else if (errno != EEXIST && errno != EISDIR && errno != EROFS)
        throw_errno(Failure::environment, object, "directory " + parent + " cannot be made", errno);
    }
  }

  /// Runs make(path) under the wanted name, or under a second one when the first is taken.
  template <class Make>
  const std::string& create(const std::string& wanted, uint32_t id, bool directory, const std::string& object,
                            Make make) {
    std::string other = wanted + format(".cr.%x.ghost", id);
    for (const std::string& path : {wanted, other}) {
      if (make(path.c_str())) {
        directory_ = directory;
        return paths_.emplace_back(path);
      }
      if (errno != EEXIST) break;
    }
    throw_errno(Failure::environment, object, "the deleted file " + wanted + " cannot be made again", errno);
  }

 private:
  std::deque<std::string> paths_;
  bool directory_ = false;
  std::vector<std::string> parents_;
};

void fill_range(ImageReader& in, int fd, uint64_t at, uint64_t length, const std::string& object) {
  std::string buffer(std::min<uint64_t>(kBuffer, length), '\0');
  bool huge = huge_page_size(fd);
  while (length > 0) {
    size_t n = std::min<uint64_t>(buffer.size(), length);
    in.raw(buffer.data(), n);
    if (huge ? !write_object(fd, buffer.data(), n, at) : !pwrite_exact(fd, buffer.data(), n, static_cast<off_t>(at)))
      throw_errno(Failure::environment, object, "its content cannot be written", errno);
    at += n;
    length -= n;
  }
}

void fill(ImageReader& in, const pb::ghost_file_entry& entry, int fd, const std::string& object) {
  if (!entry.chunks()) {
    // hugetlbfs has no write(2) that would make it longer
    if (huge_page_size(fd) && (in.left() > INT64_MAX || ::ftruncate(fd, static_cast<off_t>(in.left()))))
      throw_errno(Failure::environment, object, "its size cannot be set", errno);
    fill_range(in, fd, 0, in.left(), object);
    return;
  }
  if (!entry.has_size()) throw Error(Failure::image, in.name(), "has chunks but no size");
  if (entry.size() > INT64_MAX || ::ftruncate(fd, static_cast<off_t>(entry.size())) != 0)
    throw_errno(Failure::environment, object, "its size cannot be set", errno);
  pb::ghost_chunk_entry chunk;
  while (in.next(chunk)) {
    if (chunk.off() > entry.size() || chunk.len() > entry.size() - chunk.off())
      throw Error(Failure::image, in.name(), "a chunk lies outside of the file");
    if (chunk.len() > in.left()) throw Error(Failure::image, in.name(), "ends in the middle of a chunk");
    fill_range(in, fd, chunk.off(), chunk.len(), object);
  }
}

bool make_node(const char* path, const pb::ghost_file_entry& e) {
  switch (e.mode() & S_IFMT) {
    case S_IFREG: {
      UniqueFd fd(::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      return static_cast<bool>(fd);
    }
    case S_IFDIR:
      return ::mkdir(path, 0700) == 0;
    case S_IFLNK:
      return ::symlink(e.symlnk_target().c_str(), path) == 0;
    case S_IFIFO:
    case S_IFSOCK:  // what O_PATH shows of a socket's name
    case S_IFCHR:
    case S_IFBLK:
      return ::mknod(path, (e.mode() & S_IFMT) | 0600, e.rdev()) == 0;
    default:
      errno = EINVAL;
      return false;
  }
}

/// handle: an O_PATH view. users: what its owner means here. The kernel's clock has nanoseconds, the image
/// microseconds.
void set_attributes(int handle, const pb::ghost_file_entry& e, const UserMap& users, const std::string& object) {
  if (::fchownat(handle, "", users.uids.outer(e.uid()), users.gids.outer(e.gid()), AT_EMPTY_PATH) != 0)
    throw_errno(Failure::environment, object, format("its owner %u:%u cannot be set", e.uid(), e.gid()), errno);
  if (!S_ISLNK(e.mode()) && ::chmod(format("/proc/self/fd/%d", handle).c_str(), e.mode() & 07777) != 0)
    throw_errno(Failure::environment, object, format("its mode 0%o cannot be set", e.mode()), errno);
  if (!e.has_atim() || !e.has_mtim()) return;
  auto time = [](const pb::timeval& t) {
    return timespec{static_cast<time_t>(t.tv_sec()), static_cast<long>(t.tv_usec() % 1000000) * 1000};
  };
  timespec times[2] = {time(e.atim()), time(e.mtim())};
  if (::utimensat(handle, "", times, AT_EMPTY_PATH) != 0)
    throw_errno(Failure::environment, object, "its times cannot be set", errno);
}

std::string object_of(uint32_t id, const std::string& name) {
  return format("deleted file %s (ghost %x)", name.c_str(), id);
}

UniqueFd view_of(const std::string& path, const std::string& object) {
  UniqueFd handle(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!handle) throw_errno(Failure::environment, object, "cannot be opened", errno);
  return handle;
}

/// O_NOFOLLOW, which shm_open(3) sets, would stop at a link of /proc; a file handle (open_by_handle_at(2)) is none.
/// Empty on filesystems that have no handles, and without CAP_DAC_READ_SEARCH: then F_GETFL alone shows the difference.
UniqueFd by_handle(int fd, int flags) {
  alignas(file_handle) char room[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id;
  if (::name_to_handle_at(fd, "", handle, &mount_id, AT_EMPTY_PATH)) return {};
  return close_on_exec(::open_by_handle_at(fd, handle, flags));
}

std::string directory_of(const std::string& name) { return name.substr(0, name.rfind('/') + 1); }

/// "#1234": how /proc shows a file that open(2) made with O_TMPFILE.
bool is_unnamed(const std::string& name) {
  size_t at = name.rfind('/') + 1;
  return name.size() > at + 1 && name[at] == '#' && name.find_first_not_of("0123456789", at + 1) == std::string::npos;
}

}  // namespace

void GhostRestore::expect(uint32_t id, const std::string& name, uint32_t flags) {
  Ghost& ghost = ghosts_[id];
  ghost.handles[name];
  ghost.expected++;
  if (is_unnamed(name)) ghost.unnamed_flags |= (flags & __O_TMPFILE) ? flags : __O_TMPFILE | O_RDWR;
}

void GhostRestore::make(uint32_t id, Ghost& ghost, RestoreContext& ctx) {
  const std::string& name = ghost.handles.begin()->first;
  std::string object = object_of(id, name);
  if (name.empty() || name[0] != '/') throw Error(Failure::image, object, "its path is not absolute");
  ImageReader in = ctx.images().require(Img::ghost_file, id);
  pb::ghost_file_entry entry;
  in.one(entry);
  bool regular = ghost.regular = S_ISREG(entry.mode());
  Names names;
  names.make_parents(name, object);
  UniqueFd& first = ghost.handles.begin()->second;
  if (regular && ghost.unnamed_flags != 0) {
    // made so again, linkat(2) can give it a name
    ghost.unnamed = close_on_exec(
        ::open(directory_of(name).c_str(), reopen_flags(ghost.unnamed_flags & ~O_APPEND) | O_TMPFILE, 0600));
    if (!ghost.unnamed) throw_errno(Failure::environment, object, "a file without a name cannot be made", errno);
    first = reopen(ghost.unnamed.get(), O_PATH, object);
  } else {
    first = view_of(
        names.create(name, id, S_ISDIR(entry.mode()), object, [&](const char* path) { return make_node(path, entry); }),
        object);
    for (auto other = std::next(ghost.handles.begin()); other != ghost.handles.end(); ++other) {
      names.make_parents(other->first, object);
      std::string from = format("/proc/self/fd/%d", first.get());
      auto link = [&](const char* path) {
        return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
      };
      other->second = view_of(names.create(other->first, id, false, object, link), object);
    }
  }
  // closed again before anybody executes it: a writer would make that ETXTBSY
  if (regular) fill(in, entry, reopen(first.get(), O_RDWR, object).get(), object);
  set_attributes(first.get(), entry, ctx.users(), object);
  ghost.made = true;
}

int GhostRestore::handle(uint32_t id, const std::string& name, RestoreContext& ctx) {
  auto at = ghosts_.find(id);
  if (at == ghosts_.end() || !at->second.handles.count(name))
    throw Error(Failure::internal, object_of(id, name), "nobody told of it before it was asked for");
  if (!at->second.made) make(id, at->second, ctx);
  UniqueFd& own = at->second.handles.at(name);
  return own ? own.get() : at->second.handles.begin()->second.get();
}

UniqueFd GhostRestore::take_unnamed(uint32_t id) { return std::move(ghosts_.at(id).unnamed); }

bool GhostRestore::has_watches(RestoreContext& ctx) {
  if (!has_watches_) {
    has_watches_ = false;
    for (const pb::file_entry* e : ctx.entries())
      *has_watches_ |= e->type() == pb::INOTIFY || e->type() == pb::FANOTIFY;
  }
  return *has_watches_;
}

UniqueFd GhostRestore::open(uint32_t id, const std::string& name, int flags, RestoreContext& ctx) {
  int seen = handle(id, name, ctx);
  std::string object = object_of(id, name);
  // an O_PATH view of a symbolic link cannot be had through /proc, only copied
  struct stat st {};
  const bool as_seen = (flags & (O_PATH | O_NOFOLLOW)) == (O_PATH | O_NOFOLLOW);
  if (as_seen || (::fstat(seen, &st) == 0 && S_ISLNK(st.st_mode))) return duplicate(seen, object);
  UniqueFd fd = reopen(seen, flags & ~O_NOFOLLOW, object);
  if (flags & O_NOFOLLOW)
    if (UniqueFd with_flag = by_handle(fd.get(), flags)) fd = std::move(with_flag);
  // thousands of them must not stay open twice
  Ghost& ghost = ghosts_.at(id);
  if (++ghost.opened == ghost.expected && ghost.regular && !has_watches(ctx)) ghosts_.erase(id);
  return fd;
}

}  // namespace nsr
