// signalfd(2): a mask. What is pending belongs to the task that reads.
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

class Signalfd final : public Kind {
 public:
  const char* name() const override { return "signalfd"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[signalfd]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::SIGNALFD);
    pb::signalfd_entry& e = *entry.mutable_sgfd();
    e.set_id(entry.id());
    e.set_flags(file.flags);
    *e.mutable_fown() = ctx.owner_of(ctx.borrow(file).get());
    e.set_sig_mask(procfs::parse_signalfd(file.fdinfo));
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::SIGNALFD && entry.has_sgfd(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("signalfd, mask %016llx", static_cast<unsigned long long>(entry.sgfd().sig_mask()));
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    std::string object = image_object(name(), entry.id());
    uint64_t mask = entry.sgfd().sig_mask();
    UniqueFd fd(static_cast<int>(::syscall(SYS_signalfd4, -1, &mask, sizeof mask, SFD_CLOEXEC)));
    if (!fd) throw_errno(Failure::environment, object, "signalfd4 failed", errno);
    set_status_flags(fd.get(), entry.sgfd().flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }
};

}  // namespace

std::unique_ptr<Kind> make_signalfd_kind() { return std::make_unique<Signalfd>(); }

}  // namespace nsr
