// Named pipes (fifo(7)). The path is an entry of its own (regf_id), which also carries flags and owner; contents are in
// fifo-data.img.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/files/named_files.h"
#include "engine/files/owner.h"
#include "engine/files/pipe_data.h"
#include "engine/images/image_dir.h"
#include "nsr-files.pb.h"

namespace nsr {
namespace {

class Fifo final : public Kind {
 public:
  explicit Fifo(std::shared_ptr<NamedFiles> files) : files_(std::move(files)) {}
  const char* name() const override { return "FIFO"; }
  bool match(const OpenFile& file) const override {
    return S_ISFIFO(file.st.st_mode) && !(file.flags & O_PATH) && !file.link.empty() && file.link[0] == '/';
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::FIFO);
    pb::fifo_entry& e = *entry.mutable_fifo();
    e.set_id(entry.id());
    e.set_pipe_id(static_cast<uint32_t>(file.st.st_ino));
    e.set_regf_id(files_->dump_extra(file, ctx));
    UniqueFd fd = ctx.borrow(file);
    if ((file.flags & O_ACCMODE) != O_RDONLY && is_full(fd.get())) full_.insert(e.pipe_id());
    if ((file.flags & O_ACCMODE) == O_WRONLY) return;
    if ((file.flags & O_ACCMODE) == O_RDONLY && is_quiet(fd.get())) {
      pb::nsr_file_entry ext;
      ext.set_id(entry.id());
      ext.set_quiet(true);
      ctx.images().append(Img::file_ext).write(ext);
    }
    auto [slack, fresh] = peeked_.try_emplace(e.pipe_id());
    if (!fresh) return;
    PipeContent content = peek_pipe(fd.get(), file.describe());
    slack->second = has_slack(content);
    write_pipe_content(ctx.images().append(Img::fifo_data), e.pipe_id(), content);
  }

  void finish_dump(DumpContext& ctx) override {
    for (auto [id, slack] : peeked_)
      if (slack && full_.count(id)) write_pipe_full(ctx.images().append(Img::fifo_data), id);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::FIFO && entry.has_fifo(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("FIFO %u at the path of file id %u", entry.fifo().pipe_id(), entry.fifo().regf_id());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::fifo_entry& e = entry.fifo();
    const pb::file_entry* path = ctx.entry(e.regf_id());
    std::string object = image_object(name(), entry.id());
    if (!e.has_regf_id() || !path || !path->has_reg())
      throw Error(Failure::image, object, format("its path, file id %u, is not in the images", e.regf_id()));
    const pb::reg_file_entry& reg = path->reg();
    UniqueFd& keeper = keepers_[e.pipe_id()];
    if (!keeper) {
      // both ends at once: opening one of them alone waits for the other, or fails
      keeper = files_->open(reg, O_RDWR | O_NONBLOCK | O_CLOEXEC, ctx);
      contents_.fill(e.pipe_id(), keeper.get(), object, ctx);
      if (stays_quiet(e.pipe_id(), ctx)) keeper = files_->open(reg, O_RDONLY | O_NONBLOCK | O_CLOEXEC, ctx);
    }
    // packet mode comes by fcntl(2), open(2) does not take it
    UniqueFd fd = files_->open(reg, (reopen_flags(reg.flags()) & ~O_DIRECT) | O_NONBLOCK, ctx);
    set_status_flags(fd.get(), reg.flags(), object);
    paths_[entry.id()] = reg;
    ctx.provide(entry.id(), std::move(fd));
  }

  void finish_restore(RestoreContext&) override { keepers_.clear(); }

  bool needs_task(const pb::file_entry& entry) const override {
    auto at = paths_.find(entry.id());
    return at != paths_.end() && owner_needs_task(at->second.fown(), at->second.flags());
  }
  void emit(const pb::file_entry& entry, TaskStage& stage) override {
    const pb::reg_file_entry& reg = paths_.at(entry.id());
    emit_owner(reg.fown(), reg.flags(), stage);
  }

 private:
  /// Nothing to read and no hang-up: a writer is there, or none has come since this end was opened (fifo(7)).
  static bool is_quiet(int fd) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, 0) == 0;
  }

  /// Whether readers have to be opened while nobody can write. Not when the tree itself has a writer.
  bool stays_quiet(uint32_t pipe_id, RestoreContext& ctx) {
    if (!read_) {
      read_ = true;
      for (const auto& ext : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
        if (ext.quiet()) quiet_.insert(ext.id());
    }
    bool quiet = false;
    for (const pb::file_entry* e : ctx.entries()) {
      if (!owns(*e) || e->fifo().pipe_id() != pipe_id) continue;
      const pb::file_entry* path = ctx.entry(e->fifo().regf_id());
      if (path && path->has_reg() && (path->reg().flags() & O_ACCMODE) != O_RDONLY) return false;
      quiet |= quiet_.count(e->id()) > 0;
    }
    return quiet;
  }

  std::shared_ptr<NamedFiles> files_;
  std::map<uint32_t, bool> peeked_;  ///< pipe id -> has_slack()
  std::set<uint32_t> full_;          ///< pipe ids
  bool read_ = false;
  std::set<uint32_t> quiet_;              ///< file ids
  std::map<uint32_t, UniqueFd> keepers_;  ///< pipe id -> an end of either kind until all are open
  std::map<uint32_t, pb::reg_file_entry> paths_;
  PipeContents contents_{Img::fifo_data};
};

}  // namespace

std::unique_ptr<Kind> make_fifo_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<Fifo>(std::move(files));
}

}  // namespace nsr
