// POSIX message queues (mq_overview(7)). A queue lives in an IPC namespace and keeps its messages while that is there;
// an open description of one is opened again by its name. Wire: a REG entry whose name is below /dev/mqueue.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"

namespace nsr {
namespace {

constexpr long kMqueueMagic = 0x19800202;  // linux/magic.h
constexpr std::string_view kMount = "/dev/mqueue";

class Mqueue final : public Kind {
 public:
  const char* name() const override { return "message queue"; }

  bool match(const OpenFile& file) const override {
    // no disk behind it; only then the filesystem is asked
    if (!S_ISREG(file.st.st_mode) || major(file.st.st_dev) != 0 || file.link.empty() || file.link[0] != '/')
      return false;
    struct statfs fs {};
    return ::statfs(file.proc_path.c_str(), &fs) == 0 && static_cast<long>(fs.f_type) == kMqueueMagic;
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    auto theirs = read_link(format("/proc/%d/ns/ipc", file.pid.value));
    auto ours = read_link("/proc/self/ns/ipc");
    if (!theirs || !ours || *theirs != *ours)
      throw Error(Failure::unsupported, file.describe(), "its queue lives in another IPC namespace");
    if (file.st.st_nlink == 0)
      throw Error(Failure::unsupported, file.describe(),
                  "its queue was unlinked: the messages cannot be read without "
                  "taking them out");
    entry.set_type(pb::REG);
    pb::reg_file_entry& reg = *entry.mutable_reg();
    reg.set_id(entry.id());
    UniqueFd seen = ctx.borrow(file);
    reg.set_flags(kept_flags(file, seen.get()));
    reg.set_pos(0);
    *reg.mutable_fown() = ctx.owner_of(seen.get());
    // opened by mq_open the path starts at the filesystem's own root, opened through a mount it does not
    reg.set_name(std::string(kMount) + file.link.substr(file.link.rfind('/')));
    reg.set_mode(file.st.st_mode);
  }

  bool owns(const pb::file_entry& entry) const override {
    return entry.type() == pb::REG && entry.reg().name().size() > kMount.size() + 1 &&
           entry.reg().name().compare(0, kMount.size() + 1, std::string(kMount) + "/") == 0;
  }
  std::string describe(const pb::file_entry& entry) const override { return "message queue " + queue(entry.reg()); }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::reg_file_entry& reg = entry.reg();
    // the system call takes the name without the slash that mq_open(3) wants
    UniqueFd fd = close_on_exec(static_cast<int>(
        ::syscall(SYS_mq_open, queue(reg).c_str(), reopen_flags(reg.flags()), 0, static_cast<mq_attr*>(nullptr))));
    if (!fd) throw_errno(Failure::environment, "message queue /" + queue(reg), "cannot be opened", errno);
    ctx.provide(entry.id(), std::move(fd));
  }

 private:
  static std::string queue(const pb::reg_file_entry& reg) { return reg.name().substr(kMount.size() + 1); }
};

}  // namespace

std::unique_ptr<Kind> make_mqueue_kind() { return std::make_unique<Mqueue>(); }

}  // namespace nsr
