#include "engine/dump/dump_files.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "fdinfo.pb.h"

namespace nsr {
namespace {

const Logger log("files");

struct OwnerEx {
  int type;
  int pid;
};
constexpr int kFGetownEx = 16, kFGetsig = 11, kFGetownerUids = 17;

pb::fdinfo_entry fdinfo_of(const OpenFile& f, uint32_t id, pb::fd_types type) {
  pb::fdinfo_entry e;
  e.set_id(id);
  e.set_flags(f.cloexec ? 1 : 0);
  e.set_type(type);
  e.set_fd(static_cast<uint32_t>(f.fd));
  return e;
}

}  // namespace

DumpFiles::DumpFiles(ImageDir& images, const DumpOptions& options, const PidMap& pids, PageStore& pages,
                     const NamespaceIds& namespaces, std::vector<std::unique_ptr<Kind>> kinds)
    : images_(images),
      options_(options),
      pids_(pids),
      pages_(pages),
      namespaces_(namespaces),
      kinds_(std::move(kinds)) {}

void DumpFiles::add_table(HostPid pid, NsPid nspid, uint32_t files_id, const std::set<int>& ours) {
  std::vector<OpenFile> table = read_descriptors(pid, nspid);
  std::erase_if(table, [&](const OpenFile& f) { return ours.count(f.fd) != 0; });
  tables_.push_back({files_id, files_.size(), table.size()});
  std::move(table.begin(), table.end(), std::back_inserter(files_));
}

void DumpFiles::dump_all() {
  // Kinds keep descriptors of the tree until its end.
  raise_descriptor_limit();
  for (const Table& t : tables_) {
    ImageWriter w = images_.create(Img::fdinfo, t.files_id);
    for (size_t i = t.first; i < t.first + t.count; i++) {
      uint32_t id = id_of_descriptor(files_[i]);
      w.write(fdinfo_of(files_[i], id, types_.at(id)));
    }
    w.finish();
  }
  log.info("%zu descriptors, %zu open files", files_.size(), entries_.size());
}

std::vector<Error> DumpFiles::try_all() {
  std::vector<Error> refused;
  for (const OpenFile& f : files_) try {
      id_of_descriptor(f);
    } catch (const Error& e) {
      refused.push_back(e);
    }
  return refused;
}

void DumpFiles::finish() {
  for (auto& kind : kinds_) kind->finish_dump(*this);
  ImageWriter w = images_.create(Img::files);
  for (const auto& e : entries_) w.write(e);
  w.finish();
}

void DumpFiles::write_last() {
  for (auto& kind : kinds_) kind->write_last(*this);
}

void DumpFiles::before_kill() {
  for (auto& kind : kinds_) kind->before_kill(*this);
}

uint32_t DumpFiles::id_of_descriptor(const OpenFile& f) {
  auto key = std::make_tuple(f.st.st_dev, f.st.st_ino, f.flags, f.link);
  auto [group, fresh] = same_inode_.try_emplace(key, KCMP_FILE);
  uint32_t id = group->second.group_of({f.pid, f.fd}, next_id_);
  return id == next_id_ ? dump_one(f) : id;
}

uint32_t DumpFiles::file_id_of(const OpenFile& f) {
  if (f.fd >= 0) return id_of_descriptor(f);
  auto key = std::make_tuple(f.st.st_dev, f.st.st_ino, f.flags, f.link);
  auto it = linked_.find(key);
  if (it != linked_.end()) return it->second;
  uint32_t id = dump_one(f);
  linked_.emplace(key, id);
  return id;
}

uint32_t DumpFiles::dump_one(const OpenFile& f) {
  uint32_t id = next_id_++;
  pb::file_entry e;
  e.set_type(pb::UND);
  e.set_id(id);
  Kind& kind = kind_of(f);
  kind.dump(f, e, *this);
  if (e.type() == pb::UND)
    throw Error(Failure::internal, f.describe(), format("the kind %s gave it no type", kind.name()));
  types_[id] = e.type();
  entries_.push_back(std::move(e));
  log.debug("%s: file %u, %s", f.describe().c_str(), id, kind.name());
  return id;
}

Kind& DumpFiles::kind_of(const OpenFile& f) {
  for (auto& kind : kinds_)
    if (kind->match(f)) return *kind;
  throw Error(Failure::unsupported, f.describe(), "this kind of open file cannot be kept",
              "close it before the dump, or name it with --external when it belongs to the outside");
}

UniqueFd DumpFiles::borrow(const OpenFile& f) {
  if (f.fd < 0) {
    UniqueFd fd(::open(f.proc_path.c_str(), static_cast<int>(f.flags & O_ACCMODE) | O_CLOEXEC | O_NONBLOCK));
    if (!fd) throw_errno(Failure::environment, f.describe(), f.proc_path + " cannot be opened", errno);
    return fd;
  }
  UniqueFd& pidfd = pidfds_[f.pid];
  if (!pidfd) pidfd = open_pidfd(f.pid);
  if (!pidfd) throw_errno(Failure::target, f.describe(), "pidfd_open failed", errno);
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), f.fd, 0)));
  if (!fd) throw_errno(Failure::environment, f.describe(), "pidfd_getfd failed", errno);
  return fd;
}

pb::fown_entry DumpFiles::owner_of(int borrowed) const {
  pb::fown_entry e;
  e.set_uid(0);
  e.set_euid(0);
  e.set_signum(0);
  e.set_pid_type(0);
  e.set_pid(0);
  int sig = ::fcntl(borrowed, kFGetsig);  // may be set without an owner
  e.set_signum(static_cast<uint32_t>(sig > 0 ? sig : 0));
  OwnerEx owner{};
  if (::fcntl(borrowed, kFGetownEx, &owner) || owner.pid == 0) return e;
  uint32_t uids[2] = {};
  if (::fcntl(borrowed, kFGetownerUids, uids) == 0) {
    e.set_uid(users().uids.inner(uids[0]));
    e.set_euid(users().uids.inner(uids[1]));
  }
  // the image holds the kernel's enum pid_type: thread 0, process 1, group 2 (F_OWNER_PGRP is 2, but PIDTYPE_PGID is 2)
  e.set_pid_type(static_cast<uint32_t>(owner.type));
  auto pid = pids_.inner(HostPid(owner.pid));
  e.set_pid(static_cast<uint32_t>(pid ? pid->value : 0));
  return e;
}

uint32_t DumpFiles::namespace_id(uint32_t clone_flag, const OpenFile& file) {
  return namespaces_.find(clone_flag, file.st.st_ino);
}

void DumpFiles::dump_shared_memory(uint64_t shmid, int fd, uint64_t length) {
  // a descriptor of the task shares its position: look for holes through one of our own
  UniqueFd own(::open(format("/proc/self/fd/%d", fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (!own) throw_errno(Failure::environment, "shared memory object", "opening it again failed", errno);
  pages_.write_shared(shmid, own.get(), length);
}

}  // namespace nsr
