// eventfd(2). The image keeps EFD_SEMAPHORE as bit 0 of flags: an eventfd is always O_RDWR, so the bit is free, and a
// reader that does not know it hands the flags to F_SETFL, which ignores it.
#include <fcntl.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

class Eventfd final : public Kind {
 public:
  const char* name() const override { return "eventfd"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "[eventfd]"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::EVENTFD);
    pb::eventfd_file_entry& e = *entry.mutable_efd();
    e.set_id(entry.id());
    procfs::EventfdInfo info = procfs::parse_eventfd(file.fdinfo);
    // since 6.5 the kernel tells; before, a semaphore could not be told from a counter
    e.set_flags(file.flags | (info.semaphore.value_or(false) ? EFD_SEMAPHORE : 0));
    *e.mutable_fown() = ctx.owner_of(ctx.borrow(file).get());
    e.set_counter(info.count);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::EVENTFD && entry.has_efd(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("eventfd%s, count %llu", entry.efd().flags() & EFD_SEMAPHORE ? " (semaphore)" : "",
                  static_cast<unsigned long long>(entry.efd().counter()));
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::eventfd_file_entry& e = entry.efd();
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | static_cast<int>(e.flags() & EFD_SEMAPHORE)));
    if (!fd) throw_errno(Failure::environment, object, "eventfd failed", errno);
    // a kernel-side signaller may have brought it to 2^64-1, which write(2) does not take
    uint64_t count = std::min<uint64_t>(e.counter(), UINT64_MAX - 1);
    if (count > 0 && !write_exact(fd.get(), &count, sizeof count))
      throw_errno(Failure::environment, object, "its count cannot be set", errno);
    set_status_flags(fd.get(), e.flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }
};

}  // namespace

std::unique_ptr<Kind> make_eventfd_kind() { return std::make_unique<Eventfd>(); }

}  // namespace nsr
