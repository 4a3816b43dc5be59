// File locks (fcntl(2), flock(2)): POSIX locks belong to a task, flock, OFD locks and leases to an open description.
// No kind of open file, but the hooks are the same: collected at the end of the dump, taken in the task that holds
// them. Wire: flag is FL_* of the kernel, pid the inner one, fd a number of that task, len 0 = up to the end of the
// file.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "engine/base/error.h"
#include "engine/descriptors/options.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/fdinfo.h"
#include "file-lock.pb.h"

namespace nsr {
namespace {

using procfs::FileLock;
constexpr uint32_t kPosix = 1, kFlock = 2, kLease = 32, kOfd = 1024;  // FL_*, include/linux/filelock.h

uint32_t flag_of(const FileLock& lock, const OpenFile& file) {
  switch (lock.kind) {
    case FileLock::Kind::posix:
      return kPosix;
    case FileLock::Kind::flock:
      return kFlock;
    case FileLock::Kind::ofd:
      return kOfd;
    case FileLock::Kind::lease:
      return kLease;
    default:
      break;
  }
  throw Error(Failure::unsupported, file.describe(), "it has a lock or delegation of a network file server");
}

const char* name_of(uint32_t flag) {
  return flag == kPosix ? "POSIX lock" : flag == kFlock ? "flock" : flag == kOfd ? "OFD lock" : "lease";
}

uint32_t type_of(const FileLock& lock) {
  return lock.type == FileLock::Type::read ? F_RDLCK : lock.type == FileLock::Type::write ? F_WRLCK : F_UNLCK;
}

bool same_description(const OpenFile& a, const OpenFile& b) {
  return ::syscall(SYS_kcmp, a.pid.value, b.pid.value, KCMP_FILE, static_cast<unsigned long>(a.fd),
                   static_cast<unsigned long>(b.fd)) == 0;
}

class Locks final : public Kind {
 public:
  const char* name() const override { return "file lock"; }
  bool match(const OpenFile&) const override { return false; }
  void dump(const OpenFile&, pb::file_entry&, DumpContext&) override {}
  bool owns(const pb::file_entry&) const override { return false; }
  std::string describe(const pb::file_entry&) const override { return name(); }
  void open(const pb::file_entry&, RestoreContext&) override {}

  void finish_dump(DumpContext& ctx) override {
    struct Seen {
      const OpenFile* file;
      pb::file_lock_entry entry;
    };
    std::vector<Seen> seen;
    for (const OpenFile& file : ctx.all_open_files()) {
      if (file.fdinfo.find("\nlock:") == std::string::npos) continue;
      for (const FileLock& lock : procfs::parse_fdinfo(file.fdinfo).locks) {
        pb::file_lock_entry e = entry_of(file, lock, ctx.options());
        bool again = false;
        for (const Seen& s : seen)
          again |= e.flag() != kPosix && s.entry.flag() == e.flag() && s.entry.start() == e.start() &&
                   s.file->st.st_ino == file.st.st_ino && same_description(*s.file, file);
        if (again) continue;
        ctx.images().append(Img::filelocks).write(e);
        seen.push_back({&file, e});
      }
    }
  }

  void finish_restore(RestoreContext& ctx) override { locks_ = ctx.images().all<pb::file_lock_entry>(Img::filelocks); }

  void emit_task(TaskStage& stage) override {
    for (const pb::file_lock_entry& e : locks_) {
      if (e.pid() != stage.pid.value) continue;
      emit(e, stage);
      stage.program.note(format("fd %d: %s %s from %lld length %lld", e.fd(), e.type() == F_WRLCK ? "write" : "read",
                                name_of(e.flag()), static_cast<long long>(e.start()), static_cast<long long>(e.len())));
    }
  }

 private:
  static pb::file_lock_entry entry_of(const OpenFile& file, const FileLock& lock, const FileOptions& options) {
    uint32_t flag = flag_of(lock, file);
    if (!options.file_locks)
      throw Error(Failure::unsupported, file.describe(), format("it holds a %s", name_of(flag)),
                  "use --file-locks (-l)");
    if (lock.state != FileLock::State::held)
      throw Error(Failure::unsupported, file.describe(), "its lease is being broken by somebody who waits",
                  "dump again when that is over");
    pb::file_lock_entry e;
    e.set_flag(flag);
    e.set_type(type_of(lock));
    e.set_pid(file.nspid.value);
    e.set_fd(file.fd);
    e.set_start(static_cast<int64_t>(lock.start));
    e.set_len(lock.end ? static_cast<int64_t>(*lock.end - lock.start + 1) : 0);
    return e;
  }

  static void emit(const pb::file_lock_entry& e, TaskStage& stage) {
    Program& p = stage.program;
    if (e.flag() & kFlock) {
      p.call(SYS_flock, e.fd(), (e.type() == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
    } else if (e.flag() & kLease) {
      p.call(SYS_fcntl, e.fd(), F_SETLEASE, e.type());
    } else {
      struct flock lock {};
      lock.l_type = static_cast<short>(e.type());
      lock.l_whence = SEEK_SET;
      lock.l_start = e.start();
      lock.l_len = e.len();
      p.call(SYS_fcntl, e.fd(), e.flag() & kOfd ? F_OFD_SETLK : F_SETLK, stage.arena.put(lock));
    }
  }
  using Kind::emit;

  std::vector<pb::file_lock_entry> locks_;
};

}  // namespace

std::unique_ptr<Kind> make_file_locks() { return std::make_unique<Locks>(); }

}  // namespace nsr
