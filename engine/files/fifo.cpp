// Named pipes (fifo(7)). The path is an entry of its own (regf_id), which also carries flags and owner; contents are in
// fifo-data.img.
#include <fcntl.h>
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
    if ((file.flags & O_ACCMODE) == O_WRONLY || !peeked_.insert(e.pipe_id()).second) return;
    UniqueFd fd = ctx.borrow(file);
    write_pipe_content(ctx.images().append(Img::fifo_data), e.pipe_id(), peek_pipe(fd.get(), file.describe()));
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
    }
    UniqueFd fd = files_->open(reg, reopen_flags(reg.flags()) | O_NONBLOCK, ctx);
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
  std::shared_ptr<NamedFiles> files_;
  std::set<uint32_t> peeked_;
  std::map<uint32_t, UniqueFd> keepers_;  ///< pipe id -> an end of either kind until all are open
  std::map<uint32_t, pb::reg_file_entry> paths_;
  PipeContents contents_{Img::fifo_data};
};

}  // namespace

std::unique_ptr<Kind> make_fifo_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<Fifo>(std::move(files));
}

}  // namespace nsr
