#include "engine/restore/restore.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>

#include "arch/cpu.h"
#include "cpuinfo.pb.h"
#include "engine/base/action_scripts.h"
#include "engine/base/awake_cpus.h"
#include "engine/base/boot_id.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/pass_fd.h"
#include "engine/descriptors/table.h"
#include "engine/images/stats_text.h"
#include "engine/memory/sysv_segments.h"
#include "engine/namespaces/cgroup_restorer.h"
#include "engine/namespaces/network_lock.h"
#include "engine/namespaces/time_namespace.h"
#include "engine/process/apparmor_policy.h"
#include "engine/process/restore_state.h"
#include "engine/process/scheduling.h"
#include "engine/process/security_label.h"
#include "engine/restore/executor.h"
#include "engine/restore/foreground.h"
#include "engine/restore/foreign_vdso.h"
#include "engine/restore/last_steps.h"
#include "engine/restore/plan_text.h"
#include "engine/restore/spare_ids.h"
#include "engine/restore/tree_namespaces.h"
#include "nsr-cpu.pb.h"
#include "stats.pb.h"

namespace nsr {
namespace {

const Logger log("restore");
using Clock = std::chrono::steady_clock;

uint32_t micros_since(Clock::time_point from) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - from).count());
}

/// The phases of a restore, in order.
class Restore {
 public:
  Restore(const RestoreOptions& options, std::vector<std::unique_ptr<Kind>> kinds)
      : options_(options), images_(options.images_dir), kinds_(std::move(kinds)) {}

  int run() {
    auto begin = Clock::now();
    std::optional<AwakeCpus> awake(std::in_place);
    {
      PhaseTimer timer(log, "reading images");
      set_ = load_images(images_);
      adapt_vdsos();
      plan_ = plan_tree(*set_, options_.files.shell_job, SpareIds(*set_));
    }
    namespaces_.emplace(images_, *set_, options_);
    files_ = std::make_unique<RestoreFiles>(images_, options_, *set_, std::move(kinds_));
    lock_ = std::make_unique<NetworkHold>(kept_method(), set_->inventory.dump_criu_run_id());
    files_->set_connection_lock(&*lock_);
    if (options_.plan) {
      std::fputs(plan_text(*set_, plan_, *files_).c_str(), stdout);
      return 0;
    }
    check_host();
    if (needs_network_lock()) lock_->get_ready(SpareIds(*set_));
    hook("pre-restore");
    Waits::block_sigchld();
    area_.emplace(*set_, programs_size(*set_, plan_));
    namespaces_->prepare(*area_);
    if (namespaces_->root_comes_first()) bear_root();
    namespaces_->enter(root_task_ ? &*root_task_ : nullptr);
    files_->set_tree_proc(namespaces_->tree_proc());
    files_->set_users(namespaces_->users());
    {
      PhaseTimer timer(log, "opening files");
      ActsAs root_user = namespaces_->as_its_root();
      files_->open_all();
      segments_.make(images_, set_->tasks[0].ids.ipc_ns_id(), namespaces_->users(),
                     [this](uint32_t id, int fd) { files_->fill_shared_memory(id, fd); });
      open_pages();
      self_.users = namespaces_->user_settings([this](UniqueFd fd) { return files_->keep(std::move(fd)); });
      open_proc();
    }
    create_tree(begin);
    awake.reset();
    area_.reset();
    log.info("Restore finished successfully. Tasks resumed.");
    UniqueFd terminal = files_->take_relayed();
    files_.reset();  // or pipes and sockets that the tree closes would stay open here
    if (!options_.exec_cmd.empty()) become_command();
    if (options_.detached && !options_.sibling && options_.launcher_fd < 0) leave_quietly();
    if (!options_.detached && options_.launcher_fd < 0) wait_for_children(std::move(terminal));
    (void)set_.release();  // the process ends: nobody needs thousands of messages taken apart one by one
    return 0;
  }

 private:
  void adapt_vdsos() {
    HostVdso host = HostVdso::of_this_process();
    for (ImageTask& t : set_->tasks) {
      if (t.zombie) continue;
      adapt_vdso(t, host, [&](uint64_t at, std::span<std::byte> to) {
        for (const PageRun& r : t.pages) {
          if (at < r.vaddr || at + to.size() > r.vaddr + r.bytes) continue;
          UniqueFd fd(::openat(images_.fd(), set_->pages_files[r.file].c_str(), O_RDONLY | O_CLOEXEC));
          return fd && pread_exact(fd.get(), to.data(), to.size(), static_cast<off_t>(r.file_offset + (at - r.vaddr)));
        }
        return false;
      });
    }
  }

  /// Asked for, the images must tell of the CPU; without being asked it is compared when they do.
  std::vector<std::string> lacks_of_cpu() const {
    const CpuCap& cap = options_.cpu_cap;
    if (!(cap.mask & (CpuCap::fpu | CpuCap::cpu | CpuCap::ins))) return {};
    if (images_.has(Img::cpuinfo) || (cap.given && !images_.has(Img::cpu_ext)))
      return arch::cpu_lacks(images_.one<pb::cpuinfo_entry>(Img::cpuinfo), arch::host_cpuid(), cap.mask);
    if (!images_.has(Img::cpu_ext)) return {};
    auto record = images_.one<pb::nsr_cpu_entry>(Img::cpu_ext);
    if (!cap.given && record.has_boot_id() && record.boot_id() == boot_id()) return {};
    return arch::cpu_lacks(record, arch::host_cpuid(), cap.mask);
  }

  void check_cpu() {
    auto lacks = lacks_of_cpu();
    if (!lacks.empty())
      throw Error(Failure::environment, "CPU",
                  format("this one lacks %s%s", lacks[0].c_str(), lacks.size() > 1 ? " and more" : ""),
                  "restore on a CPU like that of the dump, or accept the risk with --cpu-cap=none");
  }

  void check_host() {
    check_cpu();
    for (const ImageTask& t : set_->tasks)
      if (!t.zombie) check_rlimits(t.threads[0].core, t.object());
    load_policies();
    self_ = self_settings(*set_, options_.lsm_profile, namespaces_->own_user());
  }

  /// A label that the user names needs none of the images' policies.
  void load_policies() {
    if (!images_.has(Img::apparmor) || !options_.lsm_profile.empty() || SecurityModule().type() != pb::APPARMOR) return;
    policies_.emplace(images_.one<pb::apparmor_entry>(Img::apparmor));
  }

  void open_proc() {
    if (self_.empty()) return;
    UniqueFd fd(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, "/proc", "it cannot be opened", errno);
    self_.proc_fd = files_->keep(std::move(fd));
  }

  void open_pages() {
    for (const std::string& name : set_->pages_files) {
      UniqueFd fd(::openat(images_.fd(), name.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) throw_errno(Failure::image, "image " + name, "it cannot be opened", errno, "dump the tree again");
      pages_fd_.push_back(files_->keep(std::move(fd)));
    }
  }

  void carry_clocks() {
    const auto& ids = set_->tasks[0].ids;
    uint64_t own = ids.has_time_ns_id() && images_.has(Img::timens, ids.time_ns_id()) ? ids.time_ns_id() : 0;
    if (images_.has(Img::timens, own)) new_clocks_ = carry_clocks_on(images_.one<pb::timens_entry>(Img::timens, own));
  }

  pb::cgroup_entry load_cgroups() {
    return images_.has(Img::cgroup) ? images_.one<pb::cgroup_entry>(Img::cgroup) : pb::cgroup_entry();
  }

  /// Set of a thread; older images have one for a process.
  uint32_t cgroup_of(size_t task, size_t thread = 0) const {
    const ImageTask& t = set_->tasks[task];
    const auto& tc = t.threads[thread].core.thread_core();
    return tc.has_cg_set() ? tc.cg_set() : t.tc().cg_set();
  }

  /// The root was moved before it made the others: they were born in its set.
  void join_cgroups(const Executor& executor, CgroupRestorer& cgroups) {
    for (size_t n = 0; n < plan_.nodes.size(); n++) {
      std::vector<HostPid> threads = executor.threads_of(n);
      if (threads.empty()) continue;
      size_t task = static_cast<size_t>(plan_.nodes[n].task);
      uint32_t own = cgroup_of(task), first = cgroup_of(0);
      if (own != first && (cgroups.moves(own) || cgroups.moves(first))) cgroups.move(first, own, threads[0], false);
      for (size_t i = 1; i < threads.size(); i++)
        if (uint32_t set = cgroup_of(task, i); set != own && (cgroups.moves(set) || cgroups.moves(own)))
          cgroups.move(own, set, threads[i], true);
    }
  }

  /// It is born with the engine's limits and the clocks that are made for it.
  void bear_root() {
    PhaseTimer timer(log, "creating the root");
    raise_descriptor_limit();
    carry_clocks();
    BornRoot::Birth birth;
    birth.pid = plan_.nodes[0].pid;
    birth.sibling = options_.sibling || options_.launcher_fd >= 0;
    birth.namespaces = namespaces_->birth_flags();
    birth.shares_table = namespaces_->root_comes_first();
    {
      WithGroups groups(namespaces_->birth_groups());
      const pb::task_core_entry& tc = set_->tasks[0].tc();
      WithLoginUid login(namespaces_->own_user() && tc.has_loginuid() ? std::optional(tc.loginuid()) : std::nullopt);
      root_task_.emplace(*area_, birth);
    }
    if (namespaces_->own_user()) raise_limits_of(root_task_->pid());
    if (new_clocks_) keep_own_clocks();
  }

  /// In a user namespace of its own the tree has no right to raise limits again, wherever the engine has it.
  void raise_limits_of(HostPid root) {
    for (const ImageTask& t : set_->tasks) {
      const auto& limits = t.threads[0].core.tc().rlimits();
      for (int r = 0; r < limits.rlimits_size(); r++) {
        const auto resource = static_cast<__rlimit_resource>(r);
        rlimit now{};
        if (::prlimit(root.value, resource, nullptr, &now) || now.rlim_max >= limits.rlimits(r).max()) continue;
        now.rlim_max = limits.rlimits(r).max();
        if (::prlimit(root.value, resource, &now, nullptr))
          throw_errno(Failure::environment, t.object(), format("its limit %d cannot be raised", r), errno);
      }
    }
  }

  void schedule(const Executor& executor) {
    for (size_t n = 0; n < plan_.nodes.size(); n++) {
      std::vector<HostPid> threads = executor.threads_of(n);
      for (size_t i = 0; i < threads.size(); i++) {
        const ImageTask& t = set_->tasks[static_cast<size_t>(plan_.nodes[n].task)];
        if (threads[i]) set_scheduling(threads[i], t.object(), t.threads[i].core.thread_core(), t.threads[i].ext);
      }
    }
  }

  void create_tree(Clock::time_point start) {
    auto begin = Clock::now();
    std::vector<NodePrograms> programs;
    {
      PhaseTimer timer(log, "building programs");
      CowSharing cow(*set_, pages_fd_);
      compared_pages_ = cow.compared();
      programs = build_programs(*set_, plan_, *files_, pages_fd_, cow, self_, *area_);
      files_->end_parking();
    }
    for (const NodePrograms& p : programs) kept_pages_ += p.kept_bytes / 4096;
    CgroupRestorer cgroups(options_.cgroups, load_cgroups(), set_->inventory.root_cg_set());
    cgroups.prepare();
    if (!root_task_) bear_root();
    Executor executor(*set_, plan_, programs, *area_);
    // When it fails it waits for all children of the engine: the lock's own must have ended.
    const std::unique_ptr<NetworkHold> lock = std::move(lock_);
    namespaces_->finish(*root_task_);
    namespaces_->leave();
    if (cgroups.moves(cgroup_of(0))) cgroups.move(0, cgroup_of(0), root_task_->pid(), false);
    {
      PhaseTimer timer(log, "processes and memory");
      executor.create(*root_task_);
    }
    {
      PhaseTimer timer(log, "pages");
      executor.fill();
    }
    {
      PhaseTimer timer(log, "groups");
      executor.join();
    }
    stats_.mutable_restore()->set_forking_time(micros_since(begin));
    {
      PhaseTimer timer(log, "descriptors, threads, state");
      executor.finish();
      if (self_.users.own) schedule(executor);
      join_cgroups(executor, cgroups);
      cgroups.set_limits();
    }
    segments_.keep();
    root_ = executor.root();
    try {
      hook("post-restore");
    } catch (const Error&) {
      report(start);
      throw;
    }
    write_pidfile();
    try {
      PhaseTimer timer(log, "release");
      LastSteps(*set_, plan_, *area_, executor.nodes()).run();
      report(start);
      ask_launcher();
      told_hook("pre-resume");
      files_->before_release();
      open_network(*lock);
      // in a namespace of its own the tree dies with the launcher's init, which knows when the engine dies too early
      executor.release(options_.leave_stopped, options_.launcher_fd < 0);
      files_->after_release();
      cgroups.keep();
      if (policies_) policies_->keep();
      cgroups.freeze_again();
    } catch (...) {
      if (!options_.pidfile.empty()) ::unlink(options_.pidfile.c_str());
      throw;
    }
    told_hook("post-resume");
  }

  /// Runs the action scripts; a failure ends the restore.
  void hook(const char* action) {
    if (options_.action_scripts.empty()) return;
    run_scripts(action, options_.action_scripts, {images_.fd(), root_.value, -1});
  }

  /// The tree is complete: what a script says now is only told.
  void told_hook(const char* action) {
    try {
      hook(action);
    } catch (const Error& e) {
      log.error("%s", e.what());
    }
  }

  /// --exec-cmd: the engine, which is the tree's parent, becomes that command.
  [[noreturn]] void become_command() {
    std::vector<char*> argv;
    for (const std::string& word : options_.exec_cmd) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(argv[0], argv.data());
    throw_errno(Failure::usage, "--exec-cmd " + options_.exec_cmd[0], "it cannot be started", errno,
                "the restored tree runs on");
  }

  /// docs/launcher.md: the launcher writes pid files and lends the terminal before the tree runs, or gives up.
  void ask_launcher() {
    if (options_.launcher_fd < 0) return;
    if (UniqueFd terminal = files_->take_relayed(); terminal && !send_fd(options_.terminal_fd, terminal.get()))
      throw_errno(Failure::environment, "ns-restore", "it does not take the tree's terminal", errno);
    char go;
    ssize_t n = -1;
    if (write_exact(options_.launcher_fd, &root_.value, sizeof root_.value)) do {
        n = ::read(options_.launcher_fd, &go, 1);
      } while (n < 0 && errno == EINTR);
    if (n != 1) throw Error(Failure::environment, "ns-restore", "it gave up before the tree was released");
  }

  /// The images say how the network was held; the restore holds it in the same way.
  NetworkLock kept_method() const {
    const pb::inventory_entry& i = set_->inventory;
    if (!i.has_network_lock_method()) return NetworkLock::nftables;
    if (i.network_lock_method() > static_cast<uint32_t>(NetworkLock::skip))
      throw Error(Failure::image, "inventory.img",
                  format("network lock method %u is unknown", i.network_lock_method()));
    return static_cast<NetworkLock>(i.network_lock_method());
  }

  /// The dump has left a lock, or there are connections to be held.
  bool needs_network_lock() const {
    return set_->inventory.has_network_lock_method() || std::ranges::any_of(set_->files, [](const pb::file_entry& f) {
             return f.type() == pb::INETSK && f.isk().proto() == IPPROTO_TCP && f.isk().dst_port() != 0;
           });
  }

  /// The tree answers for its connections itself from here on. Just before it runs: what it says at once would
  /// otherwise be turned back by the lock, and the kernel takes its time before it says it again.
  void open_network(NetworkHold& lock) const {
    // Also when the connections were left behind with --tcp-close.
    if (set_->inventory.has_network_lock_method())
      lock.open();
    else
      lock.release();
  }

  void write_pidfile() {
    if (options_.pidfile.empty()) return;
    UniqueFd fd(::open(options_.pidfile.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    std::string text = format("%d", root_.value);
    if (!fd || !write_exact(fd.get(), text.data(), text.size()))
      throw_errno(Failure::io, "pid file " + options_.pidfile, "it cannot be written", errno,
                  "remove an old file of that name or name another");
  }

  void report(Clock::time_point begin) {
    uint64_t pages = 0;
    for (const auto& t : set_->tasks)
      for (const auto& r : t.pages) pages += r.bytes / 4096;
    pb::restore_stats_entry& r = *stats_.mutable_restore();
    r.set_pages_compared(compared_pages_);
    r.set_pages_skipped_cow(kept_pages_);
    r.set_pages_restored(pages - kept_pages_);
    r.set_restore_time(micros_since(begin));
    UniqueFd work(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    write_stats(work.get(), false, stats_);
    if (options_.display_stats) std::fputs(stats_text(stats_).c_str(), stdout);
  }

  /// A root that asked for a signal at its parent's death must not get one because the engine leaves: the kernel sends
  /// it with the rights of the dying parent, which gives them away.
  void leave_quietly() {
    bool asked = false;
    std::set<uid_t> ids;
    for (const ImageThread& th : set_->tasks[0].threads) {
      const auto& creds = th.core.thread_core().creds();
      asked |= th.core.thread_core().pdeath_sig() != 0;
      ids.insert({creds.uid(), creds.suid()});
    }
    if (!asked) return;
    uid_t stranger = 65533;
    while (ids.count(stranger)) stranger--;
    if (::setresuid(stranger, stranger, stranger))
      log.warn("%s gets its parent-death signal when the engine leaves: %s", set_->tasks[0].object().c_str(),
               std::strerror(errno));
  }

  const RestoreOptions& options_;
  ImageDir images_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::unique_ptr<ImageSet> set_;
  TreePlan plan_;
  std::optional<SharedArea> area_;
  std::optional<BornRoot> root_task_;
  std::optional<TreeNamespaces> namespaces_;
  std::unique_ptr<NetworkHold> lock_;
  std::unique_ptr<RestoreFiles> files_;
  std::vector<int> pages_fd_;  ///< as ImageSet::pages_files
  HostPid root_;
  SelfSettings self_;
  std::optional<LoadedPolicies> policies_;
  uint64_t compared_pages_ = 0, kept_pages_ = 0;  ///< pages that tasks were born with
  RestoredSegments segments_;
  bool new_clocks_ = false;  ///< the tree has a time namespace made for it
  pb::stats_entry stats_;
};

}  // namespace

int run_restore(const RestoreOptions& options, std::vector<std::unique_ptr<Kind>> kinds) {
  return Restore(options, std::move(kinds)).run();
}

}  // namespace nsr
