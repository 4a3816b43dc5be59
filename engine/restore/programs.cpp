#include "engine/restore/programs.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/memory/address_space.h"
#include "engine/memory/own_vdso.h"
#include "engine/memory/vma.h"
#include "engine/process/credentials.h"
#include "engine/process/restore_state.h"
#include "engine/process/scheduling.h"
#include "engine/process/seccomp.h"
#include "engine/process/security_label.h"
#include "engine/restore/birth_pages.h"
#include "engine/restore/core_room.h"
#include "engine/restore/last_steps.h"
#include "engine/restore/table_program.h"

namespace nsr {
namespace {

const Logger log("restore");

constexpr size_t kRingOperands = 544 << 10;  // what is registered with an io_uring (engine/files/io_uring.cpp)
constexpr size_t kThreadsOfMaker = 64;       // the engine sees to those while the next maker runs
constexpr uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                  CLONE_CHILD_CLEARTID | CLONE_PTRACE;

StoredProgram stored(TaskProgram source, Arena& arena) {
  StoredProgram s;
  s.at = store_for_clone(source.calls, arena);
  s.source = std::move(source);
  return s;
}

class Builder {
 public:
  Builder(const ImageSet& set, const TreePlan& plan, RestoreFiles& files, const std::vector<int>& pages_fd,
          const CowSharing& cow, const SelfSettings& self, SharedArea& area)
      : set_(set),
        plan_(plan),
        files_(files),
        pages_fd_(pages_fd),
        self_(self),
        area_(area),
        arena_(area.arena()),
        cow_(cow),
        out_(plan.nodes.size()) {}

  std::vector<NodePrograms> run() {
    for (const PlanNode& node : plan_.nodes) spaces_.push_back(space_of(node));
    births_.emplace(plan_, cow_, spaces_);
    build(0, {});
    for (size_t n = 0; n < plan_.nodes.size(); n++) {
      const PlanNode& node = plan_.nodes[n];
      if (node.kind == PlanNode::Kind::zombie) build_exit(n);
      if (node.kind != PlanNode::Kind::task) continue;
      if (node.join_group) {
        TaskProgram p;
        emit_join(node, p.calls);
        out_[n].join = stored(std::move(p), arena_);
      }
      build_finish(n);
    }
    return std::move(out_);
  }

 private:
  const ImageTask& task(const PlanNode& node) const { return set_.tasks[static_cast<size_t>(node.task)]; }

  /// Nothing for a task that lives in its maker's.
  std::unique_ptr<AddressSpace> space_of(const PlanNode& node) const {
    if (node.kind != PlanNode::Kind::task || node.shares(CLONE_VM)) return nullptr;
    std::vector<PageLoad> loads;
    for (const PageRun& r : task(node).pages) loads.push_back({r.vaddr, r.bytes, r.file_offset, pages_fd_[r.file]});
    return std::make_unique<AddressSpace>(task(node).mm, task(node).mm_ext, loads);
  }

  /// What has memory of its own and is made by `maker` is born with `base` and these pages in it.
  struct Birth {
    const AddressSpace* base;
    PageRanges there;
  };

  /// Children first: their addresses are needed by the parent's clone calls.
  void build(size_t n, const Birth& birth) {
    const PlanNode& node = plan_.nodes[n];
    bool has_space = spaces_[n] != nullptr;
    const BirthPages::Node& pages = births_->of(n);
    if (has_space) {
      if (birth.base) spaces_[n]->be_born_from(*birth.base, birth.there, unite(pages.kept, pages.passed));
      spaces_[n]->after_children(pages.complete, pages.stale);
      for (const PageRange& r : pages.kept) out_[n].kept_bytes += r.end - r.start;
      spaces_[n]->choose_pushed(can_copy_);
    }
    bool before_children = pages.provides;
    for (size_t c : node.made()) build(c, before_children ? Birth{spaces_[n].get(), pages.steps.at(c).there} : birth);
    TaskProgram p;
    if (before_children) build_first_memory(n, p);
    for (size_t c : node.early) make_born(n, c, p);
    if (node.setsid) {
      p.calls.call(SYS_setsid);
      p.calls.note("start a session");
      if (node.kind == PlanNode::Kind::task) build_session(task(node), p.calls);
    }
    if (node.own_group) {
      p.calls.call(SYS_setpgid, 0, 0);
      p.calls.note("start a process group");
    }
    for (size_t c : node.late) make_born(n, c, p);
    for (const PlanNode::Branch& b : node.branches)
      for (size_t c : b.children) load_for(n, c, p);
    build_branches(n, p.calls);
    if (node.kind == PlanNode::Kind::task && !node.shares(CLONE_FS)) build_directories(task(node).fs, p.calls);
    if (has_space && !before_children) build_first_memory(n, p);
    if (has_space) spaces_[n]->emit_late(p, arena_);
    if (has_space && spaces_[n]->is_pushed()) {
      PushJob& push = out_[n].push;
      push = {HostPid(),
              -1,
              spaces_[n]->copied_mappings(),
              spaces_[n]->copied_loads(),
              spaces_[n]->written_loads(),
              spaces_[n]->forced_loads()};
      // nobody waits for faults; in a user namespace only what promises that the kernel's are none of its affair is
      // given
      const int only_copies = self_.users.own ? UFFD_USER_MODE_ONLY : 0;
      if (!push.copies.empty()) out_[n].uffd = p.calls.call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | only_copies);
      TaskProgram settle;
      build_memory(n, settle);
      out_[n].settle = stored(std::move(settle), arena_);
    } else if (has_space) {
      build_memory(n, p);
    }
    if (node.shares(CLONE_VM)) tell(forked_[n] = arena_.alloc(16), p.calls);
    out_[n].build = stored(std::move(p), arena_);
  }

  /// Threads with children of their own; then the memory is not changed before everybody who shares it has forked.
  void build_branches(size_t n, Program& p) {
    const PlanNode& node = plan_.nodes[n];
    if (!node.branches.empty() || node.shares(CLONE_FILES)) build_self(node.task, p);
    std::vector<RemoteAddr> words;
    for (const PlanNode::Branch& b : node.branches) {
      TaskProgram thread;
      build_own_directories(task(node).threads[b.thread], thread.calls);
      for (size_t c : b.children) make(c, thread.calls);
      tell(words.emplace_back(arena_.alloc(16)), thread.calls);
      out_[n].branches.emplace_back(b.thread, stored(std::move(thread), arena_));
      make_thread(task(node), b.thread, out_[n].branches.back().second.at, p);
    }
    for (size_t c : node.made())
      if (plan_.nodes[c].shares(CLONE_VM)) words.push_back(forked_.at(c));
    for (RemoteAddr word : words) wait_for(word, p);
  }

  /// Any call that writes something that is not zero will do to set the word.
  static void tell(RemoteAddr word, Program& p) {
    p.call(SYS_clock_gettime, CLOCK_REALTIME, word);
    p.call(SYS_futex, word, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
  }

  /// Being attached to may wake it once for nothing.
  static void wait_for(RemoteAddr word, Program& p) {
    for (int k = 0; k < 3; k++) p.allow(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0);
  }

  void make(size_t c, Program& p) {
    const PlanNode& child = plan_.nodes[c];
    uint64_t flags = CLONE_PTRACE | child.share | (child.sibling ? CLONE_PARENT : 0);
    int exit_signal = child.sibling ? 0 : child.exit_signal;
    RemoteAddr args = clone_arguments(arena_, out_[c].build.at, child.pid, flags, exit_signal, RemoteAddr(0), true);
    p.call(SYS_clone3, args, kCloneArgsSize);
    p.note(format("create process %d", child.pid.value));
  }

  /// Pages that a child is to be born with.
  void load_for(size_t n, size_t c, TaskProgram& p) {
    const BirthPages::Node& pages = births_->of(n);
    if (!pages.provides) return;
    for (const BirthPages::Load& l : pages.steps.at(c).loads) {
      if (l.source == n)
        spaces_[n]->emit_pages(l.pages, p, arena_);
      else
        spaces_[n]->emit_foreign(*spaces_[l.source], l.pages, p, arena_);
    }
  }

  void make_born(size_t n, size_t c, TaskProgram& p) {
    load_for(n, c, p);
    make(c, p.calls);
  }

  void make_thread(const ImageTask& t, size_t i, RemoteAddr program, Program& maker) {
    const ImageThread& th = t.threads[i];
    RemoteAddr args = clone_arguments(arena_, program, th.tid, kThreadFlags, 0,
                                      RemoteAddr(th.core.thread_info().clear_tid_addr()), true);
    maker.call(SYS_clone3, args, kCloneArgsSize);
    maker.note(format("create thread %d", th.tid.value));
  }

  void build_session(const ImageTask& t, Program& p) {
    TaskStage stage{p, arena_, t.pid, -1, t.table};
    for (const auto& kind : files_.kinds()) kind->emit_session(stage);
  }

  void build_first_memory(size_t n, TaskProgram& p) {
    uint64_t area = area_.start().value;
    spaces_[n]->emit_map([&](uint32_t id) { return files_.fd_of(id); }, {area, area + area_.size()}, p);
  }

  void build_memory(size_t n, TaskProgram& p) {
    const ImageTask& t = task(plan_.nodes[n]);
    build_patches(t, p);
    spaces_[n]->emit_settle(t.pid, files_.fd_of(t.mm.exe_file_id()), p, arena_);
    emit_mm(t.mm, files_.fd_of(t.mm.exe_file_id()), p.calls, arena_);
  }

  /// fs: of a process (pb::fs_entry) or of a thread.
  template <class Message>
  void build_directories(const Message& fs, Program& p) {
    p.call(SYS_fchdir, files_.fd_of(fs.root_id()));
    p.call(SYS_chroot, arena_.put_string("."));
    p.note("root directory");
    p.call(SYS_fchdir, files_.fd_of(fs.cwd_id()));
    p.note("working directory");
    if (fs.has_umask()) p.call(SYS_umask, fs.umask());
  }

  void build_own_directories(const ImageThread& th, Program& p) {
    if (!th.has_own_fs()) return;
    p.call(SYS_unshare, CLONE_FS);
    build_directories(*th.ext, p);
  }

  void build_patches(const ImageTask& t, TaskProgram& p) {
    for (const pb::vma_entry& v : t.mm.vmas()) {
      bool open = false;
      for (const MemoryPatch& patch : t.patches) {
        if (patch.at < v.start() || patch.at >= v.end()) continue;
        if (!open) p.calls.call(SYS_mprotect, v.start(), v.end() - v.start(), PROT_READ | PROT_WRITE);
        open = true;
        iovec from{reinterpret_cast<void*>(arena_.put(patch.bytes.data(), patch.bytes.size()).value),
                   patch.bytes.size()};
        iovec to{reinterpret_cast<void*>(patch.at), patch.bytes.size()};
        auto written = p.calls.call(SYS_process_vm_writev, t.pid, arena_.put(from), 1, arena_.put(to), 1, 0);
        p.calls.note("patching its vDSO");
        p.expect(written, static_cast<int64_t>(patch.bytes.size()));
      }
      if (open) p.calls.call(SYS_mprotect, v.start(), v.end() - v.start(), v.prot());
    }
  }

  static void emit_join(const PlanNode& node, Program& p) {
    if (!node.join_group) return;
    p.call(SYS_setpgid, 0, node.join_group);
    p.note(format("join process group %d", node.join_group.value));
  }

  /// The kernel notes a core dump only when it makes one: then where nobody sees it, cut short, and else none. Returns
  /// whether it is to make one.
  bool enter_core_room(bool dumped, const std::string& object, Program& p) {
    constexpr uint64_t kShort = 64 << 10;
    // of each its own: two cores of one name at a time are one too many for the kernel
    UniqueFd room = dumped ? make_core_room() : UniqueFd();
    if (dumped && !room)
      log.warn("%s: cores go to a program here, so its zombie says that it dumped none", object.c_str());
    if (!room) return false;
    p.call(SYS_fchdir, files_.keep(std::move(room)));
    p.call(SYS_chroot, arena_.put_string("."));
    const uint64_t limits[2] = {kShort, kShort};
    p.allow(SYS_prlimit64, 0, RLIMIT_CORE, arena_.put(limits), 0);
    return true;
  }

  void build_exit(size_t n) {
    const PlanNode& node = plan_.nodes[n];
    const pb::task_core_entry& tc = task(node).tc();
    TaskProgram p;
    emit_join(node, p.calls);
    int status = static_cast<int>(tc.exit_code());
    bool dumps = enter_core_room(WCOREDUMP(status), task(node).object(), p.calls);
    const pb::nsr_task_entry& ext = task(node).ext;
    if (ext.has_zombie_creds()) emit_credentials(ext.zombie_creds(), self_.users.groups_fixed, p.calls, arena_);
    // a change of credentials clears it; for a core that goes to a program no limit counts
    p.calls.call(SYS_prctl, PR_SET_DUMPABLE, dumps ? 1 : 0, 0, 0, 0);
    p.calls.call(SYS_prctl, PR_SET_NAME, arena_.put_string(tc.comm()), 0, 0, 0);
    // everybody can see a zombie's mask; the signal that killed it was not blocked
    uint64_t mask = tc.blk_sigset();
    if (WIFSIGNALED(status)) mask &= ~(1ull << (WTERMSIG(status) - 1));
    p.calls.call(SYS_rt_sigprocmask, SIG_SETMASK, arena_.put(mask), 0, 8);
    if (WIFSIGNALED(status)) {
      p.calls.call(SYS_kill, node.pid, WTERMSIG(status));
    }
    p.calls.call(SYS_exit_group, WEXITSTATUS(status));
    out_[n].join = stored(std::move(p), arena_);
  }

  void build_finish(size_t n) {
    const PlanNode& node = plan_.nodes[n];
    const ImageTask& t = task(node);
    TaskProgram p;
    for (NsPid helper : node.reap) {
      p.calls.call(SYS_wait4, helper, 0, __WALL, 0);
      p.calls.note(format("reap helper %d", helper.value));
    }
    enter_user_namespace(p.calls);
    build_table(n, p.calls);
    for (const ImageThread& th : t.threads)
      if (th.ext && !th.ext->xsave().empty()) {
        auto permission = arch::expansion_permission();
        p.calls.call(permission.nr, permission.arg[0], permission.arg[1]);
        p.calls.note("permission for large register state");
        break;
      }
    std::vector<std::vector<uint32_t>> filters;
    for (const ImageThread& th : t.threads)
      filters.push_back(seccomp_chain(set_.seccomp, th.core.thread_core(), t.object()));
    size_t common = SeccompEmitter::common(filters);
    seccomp_.emit(filters[0], 0, common, p.calls, arena_);
    std::vector<size_t> made;
    for (size_t i = 1; i < t.threads.size(); i++) {
      bool exists =
          std::any_of(node.branches.begin(), node.branches.end(), [&](const auto& b) { return b.thread == i; });
      build_thread(t, i, filters[i], exists ? 0 : common, out_[n]);
      if (exists) continue;
      if (made.size() == kThreadsOfMaker)
        out_[n].makers.push_back({stored(std::exchange(p, {}), arena_), std::exchange(made, {})});
      make_thread(t, i, out_[n].threads.back().at, p.calls);
      made.push_back(i);
    }
    build_file_records(t, p.calls);
    build_scheduling(t.threads[0], p.calls);
    emit_thread(t.threads[0].core, t.threads[0].ext, t.pid, t.pid, p.calls, arena_);
    for (size_t c : node.made())
      if (int signal = plan_.nodes[c].exit_signal; signal != SIGCHLD) emit_flush(signal, p.calls, arena_);
    emit_process(t.threads[0].core, t.ext, t.pid, p.calls, arena_);
    emit_rlimits(t.threads[0].core, LastSteps::queues_late(t), p.calls, arena_);
    if (uint64_t clear = t.threads[0].core.thread_info().clear_tid_addr()) p.calls.call(SYS_set_tid_address, clear);
    seccomp_.emit(filters[0], common, filters[0].size(), p.calls, arena_);
    emit_thread_last(t.threads[0].core, t.mm, true, false, self_.users.groups_fixed, p.calls, arena_);
    out_[n].finish = stored(std::move(p), arena_);
  }

  /// While the process has one thread (setns(2)); the descriptor is the engine's, whose table it still has. Its ids
  /// mean nothing inside until it takes others, and only dumpable it may look at its own /proc.
  void enter_user_namespace(Program& p) {
    if (self_.users.to_enter < 0) return;
    p.call(SYS_setns, self_.users.to_enter, CLONE_NEWUSER);
    p.note("entering its user namespace");
    p.allow(SYS_setresgid, 0, 0, 0);
    p.allow(SYS_setresuid, 0, 0, 0);
    p.call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }

  void build_scheduling(const ImageThread& th, Program& p) {
    if (!self_.users.own) emit_scheduling(th.core.thread_core(), th.ext, p, arena_);
  }

  void build_thread(const ImageTask& t, size_t i, const std::vector<uint32_t>& filters, size_t inherited,
                    NodePrograms& out) {
    const ImageThread& th = t.threads[i];
    TaskProgram p;
    build_scheduling(th, p.calls);
    emit_thread(th.core, th.ext, t.pid, th.tid, p.calls, arena_);
    seccomp_.emit(filters, inherited, filters.size(), p.calls, arena_);
    const bool born_alike = !self_.users.own && are_own(th.core.thread_core().creds());
    emit_thread_last(th.core, t.mm, false, born_alike, self_.users.groups_fixed, p.calls, arena_);
    out.threads.push_back(stored(std::move(p), arena_));
  }

  /// Who shares its maker's table waits until that is in place.
  void build_table(size_t n, Program& p) {
    const PlanNode& node = plan_.nodes[n];
    const ImageTask& t = task(node);
    if (node.shares(CLONE_FILES)) {
      wait_for(tables_.at(t.ids.files_id()), p);
      return;
    }
    if (node.branches.empty()) build_self(node.task, p);
    TaskStage whole{p, arena_, t.pid, -1, t.table};
    for (const auto& kind : files_.kinds()) kind->emit_inherited(whole);
    emit_table(t.table, files_, p, arena_);
    tell(tables_[t.ids.files_id()] = arena_.alloc(16), p);
  }

  /// What it opens here is closed by the moves of the table.
  void build_self(int index, Program& p) {
    if (auto uid = self_.login_uid.find(index); uid != self_.login_uid.end())
      emit_proc_write(self_.proc_fd, "self/loginuid", format("%u", uid->second), "audit login uid", p, arena_);
    if (auto label = self_.label.find(index); label != self_.label.end())
      emit_proc_write(self_.proc_fd, self_.label_file, label->second, "security label \"" + label->second + "\"", p,
                      arena_);
    if (auto label = self_.socket_label.find(index); label != self_.socket_label.end())
      emit_proc_write(self_.proc_fd, kSocketLabelFile, label->second, "security label of its new sockets", p, arena_);
  }

  /// What the kinds ask a task to do once the tree exists, threads (owners of files) included.
  void build_file_records(const ImageTask& t, Program& p) {
    TaskStage whole{p, arena_, t.pid, -1, t.table};
    for (const auto& kind : files_.kinds()) kind->emit_opens(whole);
    for (const auto& e : t.table) {
      const pb::file_entry& f = *set_.file_by_id.at(e.id());
      Kind& kind = files_.kind_of(f);
      if (!kind.needs_task(f) || !emitted_.insert(e.id()).second) continue;
      TaskStage stage{p, arena_, t.pid, static_cast<int>(e.fd()), t.table};
      kind.emit(f, stage);
    }
    for (const auto& kind : files_.kinds()) kind->emit_task(whole);
  }

  const ImageSet& set_;
  const TreePlan& plan_;
  RestoreFiles& files_;
  const std::vector<int>& pages_fd_;
  const SelfSettings& self_;
  SharedArea& area_;
  Arena& arena_;
  const CowSharing& cow_;
  const bool can_copy_ = can_copy_pages();
  std::vector<std::unique_ptr<AddressSpace>> spaces_;
  std::optional<BirthPages> births_;
  std::vector<NodePrograms> out_;
  std::set<uint32_t> emitted_;
  std::map<size_t, RemoteAddr> forked_;    ///< of nodes that share their maker's memory: set when they have forked
  std::map<uint32_t, RemoteAddr> tables_;  ///< of descriptor tables by id: set when they are in place
  SeccompEmitter seccomp_{set_.seccomp};
};

}  // namespace

size_t pages_of(const ImageTask& t) {
  size_t n = 0;
  for (const PageRun& r : t.pages) n += r.bytes / 4096;
  return n;
}

/// Different ranges of pages in common: a process has that many pieces at most, of its own and for others.
size_t noted_pieces(const ImageSet& set) {
  std::set<std::pair<uint64_t, uint32_t>> noted;
  for (const ImageTask& t : set.tasks)
    for (const auto& c : t.mm_ext.common()) noted.insert({c.start(), c.group()});
  return noted.size();
}

size_t programs_size(const ImageSet& set, const TreePlan& plan) {
  size_t n = 1 << 16;
  const size_t pieces = noted_pieces(set);
  for (const PlanNode& node : plan.nodes)
    n += 4096 + 1024 * (node.made().size() + node.reap.size() + 2 * node.branches.size());
  for (const ImageTask& t : set.tasks) {
    if (t.zombie) {
      n += credentials_arena_size(t.ext.zombie_creds());
      continue;
    }
    n += t.patches.size() * (3 * sizeof(Record) + 128);
    n += memory_arena_size(t.mm, t.mm_ext, t.pages.size()) + process_arena_size(t.threads[0].core, t.ext) +
         t.table.size() * 256 + 8192;
    size_t common = pieces + (t.mm_ext.cow_known() ? 0 : pages_of(t));
    if (t.parent >= 0) {  // what it is born with goes
      const ImageTask& parent = set.tasks[static_cast<size_t>(t.parent)];
      common += t.mm_ext.cow_known() ? 0 : pages_of(parent);
      n += memory_arena_size(parent.mm, parent.mm_ext, parent.pages.size() + t.pages.size());
    }
    n += 8 * common * (sizeof(Record) + sizeof(iovec));
    for (const ImageThread& th : t.threads)
      n += thread_arena_size(th.core, th.ext) + 512 +
           sizeof(Record) * seccomp_chain(set.seccomp, th.core.thread_core(), t.object()).size();
  }
  for (const auto& f : set.files) n += f.type() == pb::EXT ? kRingOperands : 1024;
  return n + n / 4 + SeccompEmitter::arena_size(set.seccomp);
}

std::vector<NodePrograms> build_programs(const ImageSet& set, const TreePlan& plan, RestoreFiles& files,
                                         const std::vector<int>& pages_fd, const CowSharing& cow,
                                         const SelfSettings& self, SharedArea& area) {
  return Builder(set, plan, files, pages_fd, cow, self, area).run();
}

}  // namespace nsr
