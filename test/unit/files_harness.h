// Dump and restore of descriptors of this very process for the kinds of engine/files, programs included.
#pragma once

#include <sys/syscall.h>

#include <set>

#include "core.pb.h"
#include "engine/files/kinds.h"
#include "fake_contexts.h"
#include "pstree.pb.h"

namespace nsr::fake {

/// A duplicate of one description counts as one file, as kcmp would say.
class FilesDump : public Dump {
 public:
  FilesDump(const std::string& dir, Kinds& kinds, FileOptions options = {})
      : Dump(dir, kinds, std::move(options)), kinds_(kinds) {}
  uint32_t file_id_of(const OpenFile& file) override {
    for (const auto& [fd, id] : by_fd_)
      if (syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, fd, file.fd) == 0) return id;
    uint32_t id = new_file_id();
    by_fd_[file.fd] = id;
    for (auto& kind : kinds_) {
      if (!kind->match(file)) continue;
      pb::file_entry entry;
      entry.set_id(id);
      kind->dump(file, entry, *this);
      entries.push_back(entry);
      return id;
    }
    throw Error(Failure::unsupported, file.describe(), "no kind under test matches");
  }

 private:
  Kinds& kinds_;
  std::map<int, uint32_t> by_fd_;
};

/// Runs a program here; a record that must succeed and fails is a failure of the test.
inline void run_here(const Program& program) {
  std::vector<Record> records = program.records();
  for (size_t i = 0; i < records.size(); ++i) {
    Record& r = records[i];
    errno = 0;
    long result = syscall(r.nr, r.arg[0], r.arg[1], r.arg[2], r.arg[3], r.arg[4], r.arg[5]);
    INFO(program.note_of(i) << ": syscall " << r.nr << " errno " << errno);
    if (!(r.control & 1)) REQUIRE(result >= 0);
  }
}

inline std::string fdinfo_of(int fd) {
  auto file = look_at(HostPid(getpid()), NsPid(getpid()), fd);
  return file->fdinfo;
}

inline std::string link_of(int fd) {
  auto file = look_at(HostPid(getpid()), NsPid(getpid()), fd);
  return file->link;
}

/// The regular kind with a path service of its own.
inline std::unique_ptr<Kind> a_regular_kind() { return make_regular_kind(make_named_files()); }

template <class... Makers>
Kinds kinds_of(Makers... makers) {
  Kinds list;
  (list.push_back(with_owner(makers())), ...);
  return list;
}

/// Dumps these descriptors with fresh kinds, restores with fresh ones and gives the new descriptors in the same order.
/// emit() runs after each new descriptor was put over the number of the old one.
class RoundTrip {
 public:
  template <class... Makers>
  RoundTrip(const std::vector<int>& fds, FileOptions dump_options, FileOptions restore_options, Makers... makers) {
    Kinds dumping = kinds_of(makers...);
    {
      FilesDump dump(dir.path, dumping, dump_options);
      dump.run(fds, [&](const std::vector<uint32_t>& file_ids) {
        ids = file_ids;
        write_table(dump.images(), fds);
      });
      entries = dump.entries;
    }
    kinds = kinds_of(makers...);
    restore = std::make_unique<Restore>(dir.path, kinds, restore_options);
    restore->run();
  }
  template <class... Makers>
  explicit RoundTrip(const std::vector<int>& fds, Makers... makers)
      : RoundTrip(fds, FileOptions(), FileOptions(), makers...) {}

  int fd(size_t i) const { return restore->fd(ids.at(i)); }

  /// Puts the restored descriptors over these numbers and runs what the kinds ask the task to do.
  void install(const std::vector<int>& fds) {
    std::vector<pb::fdinfo_entry> table;
    for (size_t i = 0; i < fds.size(); ++i) {
      REQUIRE(dup2(fd(i), fds[i]) == fds[i]);
      pb::fdinfo_entry f;
      f.set_id(ids[i]);
      f.set_fd(static_cast<uint32_t>(fds[i]));
      f.set_flags(0);
      f.set_type(restore->entry(ids[i])->type());
      table.push_back(f);
    }
    restore->fds.clear();
    add_other_descriptors(table);
    alignas(64) static std::byte area[65536];
    Arena arena(area, RemoteAddr(reinterpret_cast<uint64_t>(area)), sizeof area);
    std::set<uint32_t> done;
    Program program;
    TaskStage whole{program, arena, NsPid(getpid()), -1, table};
    for (auto& kind : kinds) kind->emit_opens(whole);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (!done.insert(ids[i]).second) continue;
      const pb::file_entry& entry = *restore->entry(ids[i]);
      TaskStage stage{program, arena, NsPid(getpid()), fds[i], table};
      for (auto& kind : kinds)
        if (kind->owns(entry)) {
          if (kind->needs_task(entry)) kind->emit(entry, stage);
          break;
        }
    }
    for (auto& kind : kinds) kind->emit_task(whole);
    run_here(program);
  }

  /// A task has nothing open but what its table says; here the rest of this process belongs to it.
  static void add_other_descriptors(std::vector<pb::fdinfo_entry>& table) {
    std::set<uint32_t> known;
    for (const auto& f : table) known.insert(f.fd());
    for (uint32_t fd = 0; fd < 1024; ++fd) {
      if (known.count(fd) || fcntl(static_cast<int>(fd), F_GETFD) < 0) continue;
      pb::fdinfo_entry f;
      f.set_fd(fd);
      table.push_back(f);
    }
  }

  /// What kinds look up about the one task: its place in the tree and its descriptor table.
  void write_table(ImageDir& images, const std::vector<int>& fds) {
    pb::pstree_entry task;
    task.set_pid(static_cast<uint32_t>(getpid()));
    task.set_ppid(0), task.set_pgid(static_cast<uint32_t>(getpgrp())), task.set_sid(static_cast<uint32_t>(getsid(0)));
    task.add_threads(static_cast<uint32_t>(getpid()));
    images.create(Img::pstree).write(task);
    pb::task_kobj_ids_entry ids_entry;
    ids_entry.set_vm_id(1), ids_entry.set_files_id(2), ids_entry.set_fs_id(1), ids_entry.set_sighand_id(1);
    images.create(Img::ids, static_cast<uint64_t>(getpid())).write(ids_entry);
    ImageWriter table = images.create(Img::fdinfo, 2);
    for (size_t i = 0; i < fds.size(); ++i) {
      pb::fdinfo_entry f;
      f.set_id(ids[i]), f.set_fd(static_cast<uint32_t>(fds[i])), f.set_flags(0), f.set_type(pb::REG);
      table.write(f);
    }
  }

  TempDir dir;
  std::vector<uint32_t> ids;
  std::vector<pb::file_entry> entries;
  Kinds kinds;
  std::unique_ptr<Restore> restore;
};

}  // namespace nsr::fake
