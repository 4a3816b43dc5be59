#include "engine/dump/dump.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <set>

#include "engine/base/action_scripts.h"
#include "engine/base/awake_cpus.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/interruption.h"
#include "engine/base/log.h"
#include "engine/base/side_work.h"
#include "engine/descriptors/table.h"
#include "engine/dump/cpu_facts.h"
#include "engine/dump/dump_files.h"
#include "engine/dump/frozen_cgroup.h"
#include "engine/dump/live_task.h"
#include "engine/dump/shared_pages.h"
#include "engine/dump/stop_reports.h"
#include "engine/dump/target.h"
#include "engine/dump/task_fs.h"
#include "engine/dump/task_memory.h"
#include "engine/dump/tree_images.h"
#include "engine/images/stats_text.h"
#include "engine/memory/own_pages.h"
#include "engine/memory/page_buffer.h"
#include "engine/memory/page_store.h"
#include "engine/memory/pagemap_links.h"
#include "engine/memory/smaps_ahead.h"
#include "engine/memory/sysv_segments.h"
#include "engine/namespaces/cgroup_collector.h"
#include "engine/namespaces/ipc_namespace.h"
#include "engine/namespaces/mount_namespace.h"
#include "engine/namespaces/net_namespace.h"
#include "engine/namespaces/network_lock.h"
#include "engine/namespaces/time_namespace.h"
#include "engine/namespaces/user_namespace.h"
#include "engine/namespaces/uts_namespace.h"
#include "engine/process/apparmor_policy.h"
#include "engine/process/seccomp.h"
#include "engine/process/security_label.h"
#include "engine/process/semaphore_undo.h"
#include "engine/process/task_state.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/trace/borrowed_task.h"
#include "fs.pb.h"
#include "inventory.pb.h"
#include "mm.pb.h"
#include "pidns/in_namespace.h"
#include "stats.pb.h"

namespace nsr {
namespace {

const Logger log("dump");
using Clock = std::chrono::steady_clock;

uint32_t micros(Clock::time_point from, Clock::time_point to) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

/// The phases of a dump, in order. Members are destroyed in the reverse order: borrowed tasks are given back before the
/// tree runs on.
class Dump {
 public:
  Dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds)
      : options_(options), images_(options.images_dir), pages_(images_), kinds_(std::move(kinds)) {}

  /// The look of a dump without its writing of memory: each refusal instead of the first.
  std::vector<Error> survey() {
    check_target(options_.root_pid);
    std::vector<Error> refusals;
    auto attempt = [&](auto step) {
      try {
        step();
      } catch (const Error& e) {
        refusals.push_back(e);
      }
    };
    images_.begin_dump();
    unlink_pagemaps(images_);
    freeze();
    attempt([&] { describe(); });
    for (LiveTask& t : live_) attempt([&] { read_state_of(t); });
    std::erase_if(live_, [](const LiveTask& t) { return !t.borrowed; });
    add_tables();
    for (const Error& e : files_->try_all()) refusals.push_back(e);
    for (LiveTask& t : live_) attempt([&] { read_address_space(t); });
    attempt([&] { files_->finish(); });
    live_.clear();
    if (freezer_) freezer_->put_back();
    tree_->resume();
    lock_.release();
    return refusals;
  }

  void run() {
    check_target(options_.root_pid);
    const AwakeCpus awake;
    cpu_.ask();
    // A tree that has connections is to wait for it as little as may be.
    if (options_.files.tcp_established && !options_.files.tcp_close) lock_.get_ready();
    images_.begin_dump();
    hook("pre-dump");
    if (options_.final_state != FinalState::kill) pages_.hold(private_bytes_of_tree(options_.root_pid) + (1 << 20));
    try {
      for (auto phase : {&Dump::freeze, &Dump::describe, &Dump::read_state, &Dump::read_files, &Dump::read_memory,
                         &Dump::read_namespaces, &Dump::write_images, &Dump::finish}) {
        check_interruption();
        (this->*phase)();
      }
    } catch (...) {
      core_writing_.reset();
      unlink_pagemaps(images_);
      images_.discard();
      throw;
    }
  }

 private:
  void freeze() {
    PhaseTimer timer(log, "freezing");
    Waits::block_sigchld();
    auto begin = Clock::now();
    frozen_at_ = begin;
    Deadline deadline =
        options_.timeout_seconds ? Deadline::after(std::chrono::seconds(options_.timeout_seconds)) : Deadline::never();
    freezer_ = freezer_of(options_);
    tree_.emplace(FrozenTree::freeze(options_.root_pid, deadline, freezer_.get()));
    if (freezer_ && !freezer_->found_frozen()) freezer_.reset();
    if (freezer_) cgroups_.note_frozen(freezer_->dir());
    stats_.mutable_dump()->set_freezing_time(micros(begin, Clock::now()));
    pids_.emplace(*tree_);
    stops_.emplace(*tree_);
  }

  void describe() {
    PhaseTimer timer(log, "describing the tree");
    entries_ = describe_tree(*tree_, options_.files.shell_job, namespaces_);
    for (size_t i = 0; i < entries_.size(); i++) {
      FrozenTask& t = tree_->tasks()[i];
      if (t.zombie) continue;
      LiveTask live;
      live.frozen = &t;
      live.entry = &entries_[i];
      live_.push_back(std::move(live));
    }
  }

  void read_state() {
    PhaseTimer timer(log, "process state");
    for (LiveTask& t : live_) read_state_of(t);
    for (LiveTask& t : live_) {
      warn_of_undo(t.handle(), t.frozen->threads.size() > 1);
      if (stops_->reported(t.frozen->pid)) t.ext().set_stop_reported(true);
      if (stops_->continue_pending(t.frozen->pid)) t.ext().set_continue_unreported(true);
    }
    write_cores();
  }

  /// Beside the work on files and memory.
  void write_cores() {
    for (const LiveTask& t : live_)
      for (size_t i = 0; i < t.frozen->threads.size(); i++)
        cores_.emplace_back(t.frozen->threads[i].ns_tid, &t.core(i));
    core_writing_.emplace(cores_.size(), [this](size_t i) {
      ImageWriter image = images_.create(Img::core, number(cores_[i].first));
      image.write(*cores_[i].second);
      // tasks that live on shall not wait for files to be made; for the others there is no better moment
      if (options_.final_state == FinalState::kill) (void)image.fd();
      image.finish();
    });
  }

  void read_state_of(LiveTask& t) {
    TaskStateReader reader(*t.frozen, *pids_);
    reader.check_borrowable();
    t.facts = std::make_unique<ThreadFacts>(*t.frozen, namespaces_, !cgroups_.ignored());
    t.borrowed = std::make_unique<BorrowedTask>(*t.frozen, reader.arena_size() + stops_->arena_size(t.frozen->pid));
    borrowed_areas_[t.entry->ids.vm_id()].push_back(t.borrowed_area());
    smaps_.start(t.handle(), t.borrowed->mappings(), t.frozen->threads[0].status->vm_rss);
    reader.ask_timers(*t.borrowed);
    std::vector<Program> programs;
    reader.add_programs(programs, t.borrowed->arena());
    stops_->ask(t.frozen->pid, programs[0], t.borrowed->arena());
    if (reader.must_look_late()) {
      t.borrowed->run(programs);
      look(reader, t);
    } else {
      look(reader, t);
      t.borrowed->run_and_park(programs);
    }
    stops_->collect(t.frozen->pid, programs[0], t.borrowed->arena());
    reader.collect(programs, t.borrowed->arena(), namespaces_.users(), t.cores(), t.ext(), t.memory);
    add_facts(t);
    add_parent(*t.frozen, t.ext());
    if (t.frozen->dead_leader) add_dead_leader(t);
  }

  /// What ptrace tells of threads that are stopped.
  void look(const TaskStateReader& reader, LiveTask& t) {
    reader.look(t.cores(), t.ext());
    for (size_t i = 0; i < t.frozen->threads.size(); i++) {
      HostPid tid = t.frozen->threads[i].tid;
      seccomp_.collect(Tracee(tid), format("pid %d", tid.value), *t.core(i).mutable_thread_core());
    }
  }

  void add_facts(LiveTask& t) {
    const auto& facts = t.facts->finish();
    for (size_t i = 0; i < facts.size(); i++) {
      HostPid tid = t.frozen->threads[i].tid;
      if (facts[i].other_kind)
        throw Error(Failure::unsupported, format("pid %d thread %d", t.frozen->pid.value, tid.value),
                    format("it is in another %s namespace than its process", facts[i].other_kind),
                    "dump before it enters that or after it has ended");
      read_label(t, i, tid);
      if (uint32_t set = cgroups_.set_of(facts[i].cgroup, tid)) t.core(i).mutable_thread_core()->set_cg_set(set);
    }
  }

  void add_parent(const FrozenTask& t, pb::nsr_task_entry& ext) const {
    if (t.parent_thread == t.parent) return;
    if (auto tid = pids_->inner(t.parent_thread)) ext.set_parent_tid(static_cast<uint32_t>(tid->value));
  }

  /// The process part stands in the leader's core image, also when that thread has no state of its own any more.
  void add_dead_leader(LiveTask& t) {
    procfs::Stat stat = procfs::parse_stat(procfs::ProcDir(t.frozen->pid).task(t.frozen->pid).read("stat"));
    t.ext().set_dead_leader_status(static_cast<uint32_t>(stat.exit_code));
    t.ext().set_exit_signal(static_cast<uint32_t>(stat.exit_signal));
    t.leader_core = t.core(0);
    t.leader_core->mutable_tc()->set_comm(stat.comm);
    t.leader_core->mutable_thread_core()->set_comm(stat.comm);
    t.core(0).clear_tc();
    t.core(0).mutable_thread_core()->set_blk_sigset(t.frozen->threads[0].signal_mask);
  }

  void read_label(LiveTask& t, size_t i, HostPid tid) {
    if (security_.type() == pb::NO_LSM) return;
    std::string label = security_.label(t.frozen->pid, tid), sockets = security_.socket_label(t.frozen->pid, tid);
    if (i > 0 && label != t.core(0).thread_core().creds().lsm_profile())
      throw Error(Failure::unsupported, format("pid %d thread %d", t.frozen->pid.value, tid.value),
                  "its security label \"" + label + "\" is another than that of its process");
    pb::creds_entry& creds = *t.core(i).mutable_thread_core()->mutable_creds();
    if (!label.empty()) creds.set_lsm_profile(label);
    if (security_.type() == pb::APPARMOR) policy_namespaces_.merge(policy_namespaces(label));
    if (!sockets.empty()) creds.set_lsm_sockcreate(sockets);
  }

  void read_files() {
    PhaseTimer timer(log, "open files");
    // names and numbers of network devices are those of the tree's namespace
    InNamespace there(own_namespace(CLONE_NEWNET), "net");
    add_tables();
    files_->dump_all();
    for (LiveTask& t : live_) images_.create(Img::fs, number(t.frozen->ns_pid)).write(collect_fs(t, *files_));
  }

  void add_tables() {
    files_ = std::make_unique<DumpFiles>(images_, options_, *pids_, pages_, namespaces_, std::move(kinds_));
    files_->set_connection_lock(&lock_);
    std::vector<int> parking;
    for (LiveTask& t : live_)
      if (int end = t.borrowed->parking(); end >= 0) parking.push_back(end);
    files_->set_parking(parking);
    std::map<uint32_t, std::set<int>> ours;
    for (LiveTask& t : live_) ours[t.entry->ids.files_id()].insert(t.borrowed->socket_number());
    for (LiveTask& t : live_)
      if (uint32_t id = t.entry->ids.files_id(); t.entry->first_of_files)
        files_->add_table(t.handle(), t.frozen->ns_pid, id, ours[id]);
  }

  void read_memory() {
    PhaseTimer timer(log, "memory");
    auto begin = Clock::now();
    for (LiveTask& t : live_)
      if (t.entry->first_of_vm) pages_.counts().scanned += find_own_pages(t.handle(), areas_of(t), t.mm_ext, t.pages);
    SharedPages shared(live_);
    auto scanned = Clock::now();
    // what the kernel takes long to tell of mappings is awaited last
    pages_.do_meanwhile([this] { read_address_spaces(false); });
    shared.write(images_, pages_);
    pages_.do_meanwhile([] {});
    read_address_spaces(true);
    log.info("memory: waited %lld us for smaps", static_cast<long long>(smaps_.waited().count()));
    segments_.write(images_, pages_, live_.front().entry->ids.ipc_ns_id(), own_namespace(CLONE_NEWIPC),
                    namespaces_.users());
    stats_.mutable_dump()->set_memdump_time(micros(begin, scanned));
    stats_.mutable_dump()->set_memwrite_time(micros(scanned, Clock::now()));
  }

  /// Those whose smaps has been read, or all.
  void read_address_spaces(bool wait) {
    std::map<uint32_t, const LiveTask*> owners;
    for (LiveTask& t : live_) {
      auto [owner, first] = owners.emplace(t.entry->ids.vm_id(), &t);
      if (t.mappings_read || (!wait && !(first && smaps_.is_ready(t.handle())))) continue;
      if (first) {
        read_address_space(t);
      } else {
        t.mm = owner->second->mm;
        t.mm_ext = owner->second->mm_ext;
      }
      t.mappings_read = true;
    }
  }

  const PageRanges& areas_of(const LiveTask& t) const { return borrowed_areas_.at(t.entry->ids.vm_id()); }

  void read_address_space(LiveTask& t) { collect_task_memory(t, areas_of(t), smaps_, *files_, segments_); }

  /// The namespace of this type that the tree lives in, when it is not the engine's; else empty.
  UniqueFd own_namespace(uint32_t clone_flag) const {
    if (!namespaces_.own(clone_flag)) return {};
    return open_namespace(std::to_string(live_.front().frozen->handle().value), namespace_kind(clone_flag)->name);
  }

  void read_namespaces() {
    PhaseTimer timer(log, "namespaces");
    const pb::task_kobj_ids_entry& ids = live_.front().entry->ids;
    if (namespaces_.own(CLONE_NEWUSER)) read_user_namespace(ids.user_ns_id());
    if (UniqueFd uts = own_namespace(CLONE_NEWUTS)) {
      InNamespace there(uts, "uts");
      dump_uts_namespace(images_, ids.uts_ns_id());
    }
    if (UniqueFd ipc = own_namespace(CLONE_NEWIPC)) {
      InNamespace there(ipc, "ipc");
      dump_ipc_namespace(images_, ids.ipc_ns_id(), namespaces_.users());
    }
    if (namespaces_.own(CLONE_NEWNS)) {
      MountPolicy policy{options_.files.external, options_.mounts.skip, options_.mounts.enable_fs, namespaces_.users()};
      dump_mount_namespace(images_, ids.mnt_ns_id(), live_.front().frozen->handle(), policy);
    }
    if (UniqueFd net = own_namespace(CLONE_NEWNET)) {
      std::string key = external_namespace_key(options_.files.external, net, "net");
      InNamespace there(net, "net");
      dump_net_namespace(images_, ids.net_ns_id(), key, options_.empty_netns);
    }
  }

  void read_user_namespace(uint32_t id) {
    uint32_t outer =
        dump_user_namespace(images_, id, live_.front().frozen->handle(), namespaces_.users(), namespaces_.all_own());
    if (namespaces_.own(CLONE_NEWPID) && !(outer & CLONE_NEWPID)) return;
    for (const LiveTask& t : live_)
      if (t.frozen->threads.size() > 1)
        throw Error(Failure::unsupported, format("pid %d", t.frozen->pid.value),
                    "it has several threads in a user namespace that its pid namespace does not belong to, where their "
                    "ids cannot be chosen again",
                    "start it with a pid namespace of the same user namespace (unshare --user --pid --fork)");
  }

  void write_images() {
    PhaseTimer timer(log, "writing images");
    files_->finish();
    ImageWriter pstree = images_.create(Img::pstree);
    for (const TreeEntry& e : entries_) pstree.write(e.pstree);
    pstree.finish();
    for (size_t i = 0; i < entries_.size(); i++) {
      FrozenTask& t = tree_->tasks()[i];
      if (!t.zombie) continue;
      pb::nsr_task_entry ext;
      images_.create(Img::core, number(t.ns_pid)).write(zombie_core(t.pid, namespaces_.users(), ext));
      add_parent(t, ext);
      images_.create(Img::task_ext, number(t.ns_pid)).write(ext);
    }
    for (LiveTask& t : live_) {
      uint64_t n = number(t.frozen->ns_pid);
      images_.create(Img::ids, n).write(t.entry->ids);
      images_.create(Img::mm, n).write(t.mm);
      images_.create(Img::mm_ext, n).write(t.mm_ext);
      images_.create(Img::task_ext, n).write(t.ext());
      if (t.leader_core) images_.create(Img::core, n).write(*t.leader_core);
    }
    core_writing_->finish();
    cpu_.write(images_, live_, options_.cpu_cap.given);
    images_.create(Img::seccomp).write(seccomp_.entry());
    if (pb::cgroup_entry groups = cgroups_.entry(); groups.sets_size()) images_.create(Img::cgroup).write(groups);
    if (!policy_namespaces_.empty()) images_.create(Img::apparmor).write(read_policies(policy_namespaces_));
    write_clocks();
  }

  /// timens-0 says that the tasks share the dumper's time namespace.
  void write_clocks() {
    const LiveTask& root = live_.front();
    TaskClocks clocks = clocks_of(root.handle());
    for (const LiveTask& t : live_) check_same_clocks(root.handle(), t.handle());
    images_.create(Img::timens, clocks.own_namespace ? root.entry->ids.time_ns_id() : 0).write(clocks.now);
  }

  void finish() {
    pb::inventory_entry inventory;
    inventory.set_img_version(2);
    inventory.set_fdinfo_per_id(true);
    *inventory.mutable_root_ids() = namespaces_.of_engine();
    inventory.set_ns_per_id(true);
    if (cgroups_.root_set()) inventory.set_root_cg_set(cgroups_.root_set());
    inventory.set_lsmtype(security_.type());
    inventory.mutable_plugins_entry();
    if (options_.files.tcp_close) inventory.set_tcp_close(true);
    if (lock_.active()) {
      inventory.set_network_lock_method(static_cast<uint32_t>(options_.network_lock));
      inventory.set_dump_criu_run_id(run_id_);
    }
    hook("post-dump");
    lock_.check();
    // Tasks that live on need wait neither for the disk nor for files to be made.
    if (options_.final_state == FinalState::kill) {
      files_->write_last();
      images_.commit(inventory);
    }
    switch (options_.final_state) {
      case FinalState::kill:
        // Until the restore nobody may tell the peers that the connections are gone.
        lock_.keep();
        files_->before_kill();
        for (LiveTask& t : live_) t.borrowed->abandon();
        tree_->kill();
        live_.clear();
        break;
      case FinalState::run:
        live_.clear();
        if (freezer_) freezer_->put_back();
        tree_->resume();
        lock_.release();
        break;
      case FinalState::stop:
        live_.clear();
        if (freezer_) freezer_->put_back();
        tree_->resume_stopped();
        lock_.release();
        break;
    }
    frozen_until_ = Clock::now();
    if (options_.final_state != FinalState::kill) {
      pages_.write_held();
      files_->write_last();
      images_.commit(inventory);
    }
    write_statistics();
  }

  /// Runs the action scripts (facts of the command line, section 5).
  void hook(const char* action) {
    if (options_.action_scripts.empty()) return;
    pages_.write_held();
    run_scripts(action, options_.action_scripts, {images_.fd(), options_.root_pid.value, -1});
  }

  void write_statistics() {
    pb::dump_stats_entry& d = *stats_.mutable_dump();
    const PageCounts& c = pages_.counts();
    d.set_frozen_time(micros(frozen_at_, frozen_until_));
    d.set_pages_scanned(c.scanned);
    d.set_pages_skipped_parent(0);
    d.set_pages_written(c.written);
    d.set_pages_lazy(0);
    d.set_shpages_scanned(c.shared_scanned);
    d.set_shpages_skipped_parent(0);
    d.set_shpages_written(c.shared_written);
    UniqueFd work(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    write_stats(work.get(), true, stats_);
    if (options_.display_stats) std::fputs(stats_text(stats_).c_str(), stdout);
  }

  static uint64_t number(NsPid pid) { return static_cast<uint64_t>(pid.value); }

  const DumpOptions& options_;
  const std::string run_id_ = new_run_id();
  NetworkHold lock_{options_.network_lock, run_id_};
  ImageDir images_;
  PageStore pages_;
  SysvSegments segments_;
  SmapsAhead smaps_;
  CpuFacts cpu_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::unique_ptr<CgroupFreezer> freezer_;
  std::optional<FrozenTree> tree_;
  std::optional<PidMap> pids_;
  std::vector<TreeEntry> entries_;
  NamespaceIds namespaces_;
  std::vector<LiveTask> live_;
  std::vector<std::pair<NsPid, const pb::core_entry*>> cores_;
  std::optional<SideWork> core_writing_;
  std::map<uint32_t, PageRanges> borrowed_areas_;  ///< by vm_id
  std::optional<StopReports> stops_;
  SeccompCollector seccomp_;
  SecurityModule security_;
  std::set<std::string> policy_namespaces_;  ///< of AppArmor, named by labels
  CgroupCollector cgroups_{options_.cgroups};
  std::unique_ptr<DumpFiles> files_;
  pb::stats_entry stats_;
  Clock::time_point frozen_at_, frozen_until_;
};

}  // namespace

std::vector<Error> survey_dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds) {
  HeldInterruption held;
  return Dump(options, std::move(kinds)).survey();
}

void run_dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds) {
  HeldInterruption held;
  Dump(options, std::move(kinds)).run();
}

}  // namespace nsr
