// What every kind of open file must offer. One implementation a kind in engine/files or engine/sockets, one row each in
// engine/registry.cpp. A Kind object lives for one dump or one restore, so it may keep what it learns in members.
#pragma once

#include <signal.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/id_map.h"
#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/trace/program.h"
#undef sigmask  // an old macro of <signal.h>, here the name of a field of a message
#include "fdinfo.pb.h"

namespace nsr {

class ConnectionLock;  // engine/descriptors/connection_lock.h
class ImageDir;        // engine/images/image_dir.h: opens images for reading and writing
struct FileOptions;    // engine/descriptors/options.h: the command line options that matter to files and sockets

/// One open file of a frozen task as /proc shows it: a descriptor (fd >= 0) or a file reached through map_files, exe,
/// cwd or root (fd -1).
struct OpenFile {
  HostPid pid;  ///< the task it is looked at through
  NsPid nspid;  ///< the same in the images
  int fd = -1;  ///< descriptor number in that task, or -1
  std::string
      proc_path;      ///< "/proc/4711/fd/7", "/proc/4711/map_files/a-b", "/proc/4711/cwd": stat, readlink and open work
  std::string link;   ///< what readlink says: "/etc/passwd", "socket:[88]", "/tmp/x (deleted)"
  struct stat st {};  ///< of the file itself
  std::string fdinfo;  ///< whole text of /proc/PID/fdinfo/FD; empty when fd is -1
  uint64_t pos = 0;    ///< fdinfo "pos:"
  uint32_t flags = 0;  ///< fdinfo "flags:" without O_CLOEXEC; for a mapping O_RDONLY or O_RDWR
  int mnt_id = -1;     ///< fdinfo "mnt_id:"
  bool cloexec = false;

  /// "pid 4711 fd 7 socket:[88]", for errors.
  std::string describe() const;
};

/// What a kind may use while it dumps.
class DumpContext {
 public:
  virtual ~DumpContext() = default;
  virtual ImageDir& images() = 0;
  virtual const FileOptions& options() const = 0;
  /// A duplicate of the description in the engine (pidfd_getfd), or a fresh open of proc_path when fd is -1.
  virtual UniqueFd borrow(const OpenFile& file) = 0;
  /// Inner id of a task or thread of the tree by its host id; nothing when it is not in the tree.
  virtual std::optional<NsPid> inner_pid(HostPid pid) const = 0;
  virtual std::optional<HostPid> host_pid(NsPid pid) const = 0;
  /// Id of another open file that this one refers to (a FIFO's path, a mapping): dumps it when it is new.
  virtual uint32_t file_id_of(const OpenFile& file) = 0;
  /// A fresh id for a file_entry that no descriptor of the tree refers to (queued SCM_RIGHTS, link remap targets).
  virtual uint32_t new_file_id() = 0;
  /// Adds such an entry to files.img. Entries returned from Kind::dump are added by the caller.
  virtual void add_file(const pb::file_entry& entry) = 0;
  /// Every descriptor of every task of the tree, collected before the first Kind::dump.
  virtual const std::vector<OpenFile>& all_open_files() const = 0;
  /// Ids of users and groups as the tree sees them: images hold those.
  virtual const UserMap& users() const { return same_users(); }
  /// F_GETOWN_EX/F_GETSIG of a borrowed description, pids and uids translated. Zeros when unset.
  virtual pb::fown_entry owner_of(int borrowed) const = 0;
  /// Id in the images of the namespace that this descriptor is of (clone_flag: its type); 0 when no task of the tree is
  /// in it.
  virtual uint32_t namespace_id(uint32_t /*clone_flag*/, const OpenFile&) { return 0; }
  /// Pages of a memory object (memfd, deleted tmpfs file) go to pagemap-shmem-<shmid>; length in bytes.
  virtual void dump_shared_memory(uint64_t shmid, int fd, uint64_t length) = 0;
  /// What holds the network still for live connections; nullptr with --network-lock skip.
  virtual ConnectionLock* connection_lock() { return nullptr; }
  /// Descriptors of the engine's that hold the tree's tasks still even when the engine dies, for as long as anybody has
  /// copies: for a process that then has something of theirs to put right first.
  virtual std::vector<int> parking() const { return {}; }
};

/// What a kind may use while it restores, in the engine, before the tree exists.
class RestoreContext {
 public:
  virtual ~RestoreContext() = default;
  virtual ImageDir& images() = 0;
  virtual const FileOptions& options() const = 0;
  /// What the ids of users and groups in the images mean here.
  virtual const UserMap& users() const { return same_users(); }
  /// Hands over the open description of a file id. Each id exactly once.
  virtual void provide(uint32_t file_id, UniqueFd fd) = 0;
  /// The engine's descriptor for a file id; opens it first when its turn has not come yet. Throws Error(image) for an
  /// unknown id or a cycle.
  virtual int fd_of(uint32_t file_id) = 0;
  /// To be called now and then by who asks for many in finish_restore(): what fd_of() gave before is not valid any
  /// more.
  virtual void make_room() {}
  virtual const pb::file_entry* entry(uint32_t file_id) const = 0;
  virtual const std::vector<const pb::file_entry*>& entries() const = 0;
  /// Fills a memory object from pagemap-shmem-<shmid>.
  virtual void fill_shared_memory(uint64_t shmid, int fd) = 0;
  /// Whether some task of the tree holds this file as a descriptor.
  virtual bool has_holder(uint32_t file_id) const = 0;
  /// The /proc of the tree where "/proc" leads to the engine's own meanwhile; else -1.
  virtual int tree_proc() const { return -1; }
  /// As in DumpContext; the lock ends when the tree runs.
  virtual ConnectionLock* connection_lock() { return nullptr; }
  /// Whether somebody stays who can carry on between a terminal of the tree and the caller's.
  virtual bool can_relay() const { return false; }
  /// Hands over the master of that terminal; once.
  virtual void relay(UniqueFd /*master*/) {}
};

/// A place in the program of one task that holds the file, after all its descriptors are in place and all tasks exist;
/// credentials are still the engine's.
struct TaskStage {
  Program& program;
  Arena& arena;
  NsPid pid;  ///< the task that runs this
  int fd;     ///< number of the file in that task
  /// The task's whole descriptor table. It has nothing else open: a new descriptor gets the lowest number not in here.
  const std::vector<pb::fdinfo_entry>& table;
};

/// One kind of open file.
class Kind {
 public:
  virtual ~Kind() = default;
  /// Short name for messages and `restore --plan`: "pipe", "TCP socket".
  virtual const char* name() const = 0;

  // ---- dump
  /// Whether this open file is of this kind. Kinds are asked in the order of the registry.
  virtual bool match(const OpenFile& file) const = 0;
  /// Fills everything of the entry but `id` of the entry itself (set by the caller; copy it into the sub-message).
  /// Throws Error(unsupported) naming file.describe() when a state cannot be kept.
  virtual void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) = 0;
  /// Called once after every file was dumped; for what needs the whole picture (pipe data, peers outside the tree).
  virtual void finish_dump(DumpContext&) {}
  /// Called once before the images are declared complete, when tasks that live on run again: for images of what
  /// finish_dump has read, whose writing takes time that nobody should have to wait for.
  virtual void write_last(DumpContext&) {}
  /// Called once when the images are complete and the tree is about to be killed for good (not with --leave-running):
  /// whatever its death would tell to others is silenced.
  virtual void before_kill(DumpContext&) {}

  // ---- restore
  /// Whether this entry of files.img is of this kind.
  virtual bool owns(const pb::file_entry& entry) const = 0;
  /// One line for `restore --plan`.
  virtual std::string describe(const pb::file_entry& entry) const = 0;
  /// Opens the description in the engine and hands it to ctx.provide(); may provide others at the same time
  /// (both ends of a pipe). Not called for an id that was provided already.
  virtual void open(const pb::file_entry& entry, RestoreContext& ctx) = 0;
  /// Called once after every file is open, still before the tree exists (queued data, locks by description).
  virtual void finish_restore(RestoreContext&) {}
  /// Called once when the tree is complete, before its network is open and it runs: for what could not be taken back
  /// any more if the restore failed.
  virtual void before_release() {}
  /// Called once when the tree runs and its network is open again.
  virtual void after_release() {}
  /// Adds records to the program of a task that leads a session, between its setsid(2) and the making of those of its
  /// children that belong to that session; descriptors as for emit_inherited().
  virtual void emit_session(TaskStage&) {}
  /// Adds records to the program of every task that has a table, before that table is put in place: the engine's
  /// descriptors still stand at the engine's numbers; stage.fd is -1.
  virtual void emit_inherited(TaskStage&) {}
  /// Whether emit() must be called for this entry in one of the tasks that hold it.
  virtual bool needs_task(const pb::file_entry&) const { return false; }
  /// Adds records to that task's program (epoll targets, owners, POSIX locks).
  virtual void emit(const pb::file_entry&, TaskStage&) {}
  /// Adds records to the program of every task that has a table, before any emit() of that task; stage.fd is -1. For
  /// files that can only be opened once the whole tree exists (pidfd, /proc/PID of a member): open() provides a
  /// placeholder, which the task replaces here.
  virtual void emit_opens(TaskStage&) {}
  /// The same after all emit() of that task. For state that belongs to a task and not to an open file: POSIX locks, the
  /// controlling terminal.
  virtual void emit_task(TaskStage&) {}
};

/// The kinds in the order in which they are asked (engine/registry.cpp).
std::vector<std::unique_ptr<Kind>> make_kinds();

}  // namespace nsr
