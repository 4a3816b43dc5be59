// Regular files, directories, symbolic links and plain character devices: whatever is opened again by its path.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "engine/base/error.h"
#include "engine/files/kinds.h"
#include "engine/files/named_files.h"

namespace nsr {
namespace {

void set_position(int fd, const pb::reg_file_entry& reg) {
  if (reg.pos() == 0 || (reg.flags() & O_PATH)) return;
  if (::lseek(fd, static_cast<off_t>(reg.pos()), SEEK_SET) == static_cast<off_t>(reg.pos())) return;
  throw_errno(Failure::environment, reg.name(),
              format("its position %llu cannot be set", static_cast<unsigned long long>(reg.pos())), errno);
}

class Regular final : public Kind {
 public:
  explicit Regular(std::shared_ptr<NamedFiles> files) : files_(std::move(files)) {}
  const char* name() const override { return "file"; }

  bool match(const OpenFile& file) const override {
    if (file.link.empty() || file.link[0] != '/') return false;
    if (file.flags & O_PATH) return true;
    return S_ISREG(file.st.st_mode) || S_ISDIR(file.st.st_mode) || S_ISCHR(file.st.st_mode) || S_ISBLK(file.st.st_mode);
  }
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::REG);
    entry.mutable_reg()->set_id(entry.id());
    files_->dump(file, entry.id(), *entry.mutable_reg(), ctx);
  }
  void finish_dump(DumpContext&) override { files_->keep_links(); }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::REG && entry.has_reg(); }
  std::string describe(const pb::file_entry& entry) const override {
    const pb::reg_file_entry& reg = entry.reg();
    return format("%s%s, flags 0%o, position %llu", reg.ext() ? "external " : "", reg.name().c_str(), reg.flags(),
                  static_cast<unsigned long long>(reg.pos()));
  }
  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    if (is_path_only(entry.id(), ctx) || (!ctx.has_holder(entry.id()) && files_->is_link_target(entry.id(), ctx))) {
      // opening a FIFO or a device once more would do something; who waits for this id gets what does nothing
      ctx.provide(entry.id(), UniqueFd(::open("/", O_PATH | O_CLOEXEC)));
      return;
    }
    UniqueFd fd = files_->open(entry.reg(), reopen_flags(entry.reg().flags()), ctx);
    if (!entry.reg().ext()) set_position(fd.get(), entry.reg());
    ctx.provide(entry.id(), std::move(fd));
  }
  void finish_restore(RestoreContext&) override { files_->remove_links(); }

 private:
  /// Whether the entry is there for the path that a FIFO or terminal names.
  bool is_path_only(uint32_t id, RestoreContext& ctx) {
    if (!path_only_read_) {
      for (const pb::file_entry* e : ctx.entries()) {
        if (e->type() == pb::FIFO) path_only_.insert(e->fifo().regf_id());
        if (e->type() == pb::TTY && e->tty().has_regf_id()) path_only_.insert(e->tty().regf_id());
      }
      path_only_read_ = true;
    }
    return path_only_.count(id) > 0;
  }

  std::set<uint32_t> path_only_;
  bool path_only_read_ = false;
  std::shared_ptr<NamedFiles> files_;
};

}  // namespace

std::unique_ptr<Kind> make_regular_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<Regular>(std::move(files));
}
std::shared_ptr<NamedFiles> make_named_files() { return std::make_shared<NamedFiles>(); }

}  // namespace nsr
