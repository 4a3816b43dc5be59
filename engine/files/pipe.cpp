// pipe(2): both ends in any number of descriptions, contents, capacity, packet mode, ends that are closed for good.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/files/pipe_data.h"
#include "nsr-files.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint32_t kKernelLargeFile = 0100000;  // O_LARGEFILE, which the C library defines as 0

std::string key_of(uint32_t pipe_id) { return format("pipe:[%u]", pipe_id); }

/// Whether somebody holds the other end, whoever that is (pipe(7): POLLHUP without writers, POLLERR without readers).
bool other_end_open(int fd) {
  pollfd p{fd, POLLIN | POLLOUT, 0};
  return ::poll(&p, 1, 0) >= 0 && (p.revents & (POLLHUP | POLLERR)) == 0;
}

class Pipe final : public Kind {
 public:
  const char* name() const override { return "pipe"; }
  bool match(const OpenFile& file) const override {
    return S_ISFIFO(file.st.st_mode) && file.link.compare(0, 6, "pipe:[") == 0;
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::PIPE);
    pb::pipe_entry& e = *entry.mutable_pipe();
    e.set_id(entry.id());
    e.set_pipe_id(static_cast<uint32_t>(file.st.st_ino));
    e.set_flags(file.flags);
    UniqueFd fd = ctx.borrow(file);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    if (!seen_.count(e.pipe_id())) dump_access(file, entry.id(), ctx);
    note_end(e.pipe_id(), file, fd.get(), ctx);
  }

  void finish_dump(DumpContext& ctx) override {
    for (const auto& [id, seen] : seen_) {
      if (seen.full && seen.slack) write_pipe_full(ctx.images().append(Img::pipes_data), id);
      if (seen.reader && seen.writer) continue;
      if (!seen.other_open) continue;
      if (is_external(ctx.options(), key_of(id))) {
        write_pipe_outside(ctx.images().append(Img::pipes_data), id);
        continue;
      }
      log.warn(
          "%s: its %s end is outside of the tree; the restore takes a new one with --inherit-fd 'fd[N]:%s', else "
          "that end is closed then",
          seen.object.c_str(), seen.reader ? "write" : "read", key_of(id).c_str());
    }
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::PIPE && entry.has_pipe(); }
  std::string describe(const pb::file_entry& entry) const override {
    const char* end[] = {"read end", "write end", "both ends", "no end"};
    return format("%s of %s", end[entry.pipe().flags() & O_ACCMODE], key_of(entry.pipe().pipe_id()).c_str());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::pipe_entry& e = entry.pipe();
    std::string object = image_object(key_of(e.pipe_id()).c_str(), entry.id());
    int given = inherited(ctx.options(), key_of(e.pipe_id()));
    if (given >= 0) {
      ctx.provide(entry.id(), take_inherited(given, e, object));
      return;
    }
    // All descriptions at once, after which the ends that no task holds are closed: readers see end of file, writers
    // EPIPE, as before.
    Ends ends = make(e.pipe_id(), object, ctx);
    set_access(e.pipe_id(), ends.reader.get(), object, ctx);
    for (const pb::file_entry* other : descriptions_of(e.pipe_id(), ctx)) {
      UniqueFd fd = take_end(ends, other->pipe().flags() & O_ACCMODE, object);
      set_status_flags(fd.get(), other->pipe().flags(), object);
      ctx.provide(other->id(), std::move(fd));
    }
  }

 private:
  struct Seen {
    bool reader = false, writer = false, peeked = false, other_open = false;
    bool full = false, slack = false;  ///< takes no byte more, although it has fewer than its capacity
    std::string object;
  };
  struct Ends {
    UniqueFd reader, writer;  ///< as pipe2 made them
    bool reader_given = false, writer_given = false;
  };

  void note_end(uint32_t id, const OpenFile& file, int fd, DumpContext& ctx) {
    uint32_t mode = file.flags & O_ACCMODE;
    Seen& seen = seen_[id];
    seen.reader |= mode != O_WRONLY;
    seen.writer |= mode != O_RDONLY;
    seen.other_open |= other_end_open(fd);
    seen.full |= mode != O_RDONLY && is_full(fd);
    if (seen.object.empty()) seen.object = file.describe();
    if (mode == O_WRONLY || seen.peeked) return;
    seen.peeked = true;
    // the reader is what owns the content: with the read end outside of the tree it stays there
    PipeContent content = peek_pipe(fd, file.describe());
    write_pipe_content(ctx.images().append(Img::pipes_data), id, content);
    seen.slack = has_slack(content);
  }

  /// A pipe belongs to who made it, and nobody else may open it again by /proc/PID/fd.
  static void dump_access(const OpenFile& file, uint32_t id, DumpContext& ctx) {
    if (file.st.st_uid == 0 && file.st.st_gid == 0 && (file.st.st_mode & 07777) == 0600) return;
    pb::nsr_file_entry ext;
    ext.set_id(id);
    ext.mutable_inode()->set_uid(ctx.users().uids.inner(file.st.st_uid));
    ext.mutable_inode()->set_gid(ctx.users().gids.inner(file.st.st_gid));
    ext.mutable_inode()->set_mode(file.st.st_mode & 07777);
    ctx.images().append(Img::file_ext).write(ext);
  }

  void set_access(uint32_t pipe_id, int end, const std::string& object, RestoreContext& ctx) {
    if (!access_read_) {
      access_read_ = true;
      for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
        if (const pb::file_entry* e = ext.has_inode() ? ctx.entry(ext.id()) : nullptr; e && owns(*e))
          access_[e->pipe().pipe_id()] = ext.inode();
    }
    auto at = access_.find(pipe_id);
    if (at == access_.end()) return;
    const pb::nsr_inode_entry& own = at->second;
    if (::fchown(end, ctx.users().uids.outer(own.uid()), ctx.users().gids.outer(own.gid())) != 0 ||
        ::fchmod(end, own.mode() & 07777) != 0)
      throw_errno(Failure::environment, object, "its owner and mode cannot be set", errno);
  }

  UniqueFd take_inherited(int given, const pb::pipe_entry& e, const std::string& object) {
    struct stat st {};
    if (::fstat(given, &st) != 0)
      throw_errno(Failure::environment, object, "the inherited descriptor is not open", errno);
    // an own description, so that the flags of the caller's one are left alone
    if (S_ISFIFO(st.st_mode)) return reopen(given, reopen_flags(e.flags()), object);
    return duplicate(given, object);
  }

  const std::vector<const pb::file_entry*>& descriptions_of(uint32_t pipe_id, RestoreContext& ctx) {
    if (descriptions_.empty()) {
      for (const pb::file_entry* e : ctx.entries())
        if (owns(*e)) descriptions_[e->pipe().pipe_id()].push_back(e);
      // open(2) sets O_LARGEFILE, pipe(2) does not: so those that pipe2 made come first
      for (auto& [id, list] : descriptions_)
        std::stable_partition(list.begin(), list.end(),
                              [](const pb::file_entry* e) { return (e->pipe().flags() & kKernelLargeFile) == 0; });
    }
    return descriptions_.at(pipe_id);
  }

  Ends make(uint32_t id, const std::string& object, RestoreContext& ctx) {
    if (contents_.is_outside(id, ctx))
      throw Error(Failure::environment, object, "its other end was outside of the tree at the dump",
                  "give it with --inherit-fd 'fd[N]:" + key_of(id) + "'");
    int fd[2];
    if (::pipe2(fd, O_CLOEXEC | O_NONBLOCK) != 0) throw_errno(Failure::environment, object, "pipe2 failed", errno);
    Ends ends{UniqueFd(fd[0]), UniqueFd(fd[1])};
    contents_.fill(id, fd[1], object, ctx);
    return ends;
  }

  /// The first description of an end is a duplicate of the one that pipe2 made, further ones are opened anew.
  static UniqueFd take_end(Ends& ends, uint32_t mode, const std::string& object) {
    bool write = mode == O_WRONLY;
    int end = write ? ends.writer.get() : ends.reader.get();
    bool& given = write ? ends.writer_given : ends.reader_given;
    if (mode == O_RDWR || given) return reopen(end, static_cast<int>(mode) | O_NONBLOCK, object);
    given = true;
    return duplicate(end, object);
  }

  std::map<uint32_t, Seen> seen_;
  std::map<uint32_t, std::vector<const pb::file_entry*>> descriptions_;  ///< by pipe id
  bool access_read_ = false;
  std::map<uint32_t, pb::nsr_inode_entry> access_;  ///< by pipe id
  PipeContents contents_{Img::pipes_data};
};

}  // namespace

std::unique_ptr<Kind> make_pipe_kind() { return std::make_unique<Pipe>(); }

}  // namespace nsr
