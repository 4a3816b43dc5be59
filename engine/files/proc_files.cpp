// Files and directories below /proc/PID. They can only be opened when the process is there: by the task that holds it
// for a member of the tree; for a process that had ended (remap PROCFS, remap_id = its pid) a stand-in is made, opened,
// and ended again.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/scanner.h"
#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/files/named_files.h"
#include "engine/images/image_dir.h"
#include "remap-file-path.pb.h"

namespace nsr {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

struct ProcPath {
  int32_t pid = 0;
  std::string rest;  ///< "/status", or empty for the directory itself
};

std::optional<ProcPath> parse(std::string_view path) {
  Scanner s(path);
  if (!s.literal("/proc/")) return std::nullopt;
  auto pid = s.number();
  if (!pid || *pid == 0 || *pid > INT32_MAX) return std::nullopt;
  if (!s.done() && s.rest()[0] != '/' && s.rest() != kDeleted) return std::nullopt;
  return ProcPath{static_cast<int32_t>(*pid), std::string(s.rest())};
}

/// "/task/77/stat" -> 77.
std::optional<int32_t> thread_of(const std::string& rest) {
  Scanner s(rest);
  if (!s.literal("/task/")) return std::nullopt;
  auto tid = s.number();
  return tid && *tid <= INT32_MAX ? std::optional(static_cast<int32_t>(*tid)) : std::nullopt;
}

/// A process with a wanted id that does nothing; ends with this object.
class StandIn {
 public:
  StandIn(int32_t pid, const std::string& object) {
    clone_args args{};
    args.flags = CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd_);
    args.set_tid = reinterpret_cast<uint64_t>(&pid);
    args.set_tid_size = 1;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
    if (pid_ == 0)
      for (;;) ::syscall(SYS_pause);
    if (pid_ < 0)
      throw_errno(Failure::environment, object, format("a stand-in for the ended process %d cannot be made", pid),
                  errno, "its id must be free");
  }
  ~StandIn() {
    ::kill(pid_, SIGKILL);
    // no exit signal: only __WALL sees it
    while (::waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    ::close(pidfd_);
  }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
};

class ProcFiles final : public Kind {
 public:
  explicit ProcFiles(std::shared_ptr<NamedFiles> files) : files_(std::move(files)) {}
  const char* name() const override { return "/proc file"; }

  bool match(const OpenFile& file) const override {
    return parse(file.link).has_value() && major(file.st.st_dev) == 0 && on_procfs(file);
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::REG);
    pb::reg_file_entry& reg = *entry.mutable_reg();
    reg.set_id(entry.id());
    if (is_external(ctx.options(), external_key(file))) return files_->dump(file, entry.id(), reg, ctx);
    ProcPath path = *parse(file.link);
    // the name stays without a mark until somebody looks for it again, so the file itself is compared
    bool ended = !leads_to(file);
    if (path.rest.ends_with(kDeleted)) path.rest.resize(path.rest.size() - kDeleted.size());
    UniqueFd seen = ctx.borrow(file);
    reg.set_flags(kept_flags(file, seen.get()));
    reg.set_pos(file.flags & O_PATH ? 0 : file.pos);
    *reg.mutable_fown() = ctx.owner_of(seen.get());
    if (ended) {
      pb::remap_file_path_entry remap;
      remap.set_orig_id(entry.id());
      remap.set_remap_id(static_cast<uint32_t>(path.pid));
      remap.set_remap_type(pb::PROCFS);
      ctx.images().append(Img::remap_fpath).write(remap);
    } else {
      path.pid = inner(file, path.pid, ctx);
      translate_thread(file, path, ctx);
    }
    reg.set_name(format("/proc/%d", path.pid) + path.rest);
    reg.set_mode(file.st.st_mode);
  }

  bool owns(const pb::file_entry& entry) const override {
    return entry.type() == pb::REG && entry.has_reg() && !entry.reg().ext() && parse(entry.reg().name()).has_value();
  }
  std::string describe(const pb::file_entry& entry) const override { return entry.reg().name(); }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::reg_file_entry& reg = entry.reg();
    ProcPath path = *parse(reg.name());
    const NamedFiles::Remap* remap = files_->remap_of(entry.id(), ctx);
    if (!remap || remap->type != pb::PROCFS) {
      if (!ctx.has_holder(entry.id()))
        throw Error(Failure::unsupported, reg.name(),
                    "a directory or mapping below /proc of a process cannot be restored");
      opens_.provide(entry.id(), reg.name(), ctx, [reg](Program& p, Arena& arena) {
        p.call(SYS_openat, AT_FDCWD, arena.put_string(reg.name()), reopen_flags(reg.flags()));
      });
      if (!(reg.flags() & O_PATH)) opens_.set_position(entry.id(), reg.pos());
      return;
    }
    if (thread_of(path.rest))
      throw Error(Failure::unsupported, reg.name(), "it is the entry of a thread of a process that had ended");
    StandIn process(static_cast<int32_t>(remap->id), reg.name());
    UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    UniqueFd fd =
        open_at(ctx.tree_proc() >= 0 ? ctx.tree_proc() : proc.get(), format("%u", remap->id) + path.rest, reg);
    if (reg.pos() != 0 && !(reg.flags() & O_PATH) && ::lseek(fd.get(), static_cast<off_t>(reg.pos()), SEEK_SET) < 0)
      throw_errno(Failure::environment, reg.name(), "its position cannot be set", errno);
    ctx.provide(entry.id(), std::move(fd));
  }
  void emit_opens(TaskStage& stage) override { opens_.emit(stage); }

 private:
  static bool on_procfs(const OpenFile& file) {
    struct stat proc {};
    // any instance of procfs: its root has inode 1 and no disk behind it; the name says the rest
    return ::stat("/proc", &proc) == 0 && (file.st.st_dev == proc.st_dev || major(file.st.st_dev) == 0);
  }

  bool leads_to(const OpenFile& file) {
    struct stat st {};
    return ::lstat(files_->paths().from_engine(file.pid, file.link).c_str(), &st) == 0 && st.st_dev == file.st.st_dev &&
           st.st_ino == file.st.st_ino;
  }

  /// The number in a path is one of the namespace of that mount of /proc: of the engine's own, or already the inner
  /// one.
  static int32_t inner(const OpenFile& file, int32_t pid, DumpContext& ctx) {
    struct stat proc {};
    bool ours = ::stat("/proc", &proc) == 0 && file.st.st_dev == proc.st_dev;
    if (!ours) {
      if (ctx.host_pid(NsPid(pid))) return pid;
    } else if (auto found = ctx.inner_pid(HostPid(pid))) {
      return found->value;
    }
    throw Error(Failure::unsupported, file.describe(), format("process %d is not in the tree", pid),
                "close it, dump that process too, or use --external " + external_key(file) +
                    " and give it back with --inherit-fd");
  }

  static void translate_thread(const OpenFile& file, ProcPath& path, DumpContext& ctx) {
    auto tid = thread_of(path.rest);
    if (!tid) return;
    size_t tail = path.rest.find('/', 6);
    path.rest = format("/task/%d", inner(file, *tid, ctx)) + (tail == std::string::npos ? "" : path.rest.substr(tail));
  }

  static UniqueFd open_at(int proc, const std::string& path, const pb::reg_file_entry& reg) {
    UniqueFd fd = close_on_exec(::openat(proc, path.c_str(), reopen_flags(reg.flags())));
    if (!fd) throw_errno(Failure::environment, reg.name(), "cannot be opened again as /proc/" + path, errno);
    return fd;
  }

  std::shared_ptr<NamedFiles> files_;
  InTaskOpens opens_;
};

}  // namespace

std::unique_ptr<Kind> make_proc_kind(std::shared_ptr<NamedFiles> files) {
  return std::make_unique<ProcFiles>(std::move(files));
}

}  // namespace nsr
