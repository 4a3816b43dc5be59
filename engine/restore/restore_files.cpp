#include "engine/restore/restore_files.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/memory_object.h"
#include "engine/descriptors/delivery.h"
#include "engine/descriptors/table.h"
#include "pagemap.pb.h"

namespace nsr {
namespace {

const Logger log("files");
/// With more, what every process has to close of it costs more than sending each its own.
constexpr int kMostInherited = 32768;

}  // namespace

RestoreFiles::RestoreFiles(ImageDir& images, const RestoreOptions& options, const ImageSet& set,
                           std::vector<std::unique_ptr<Kind>> kinds)
    : images_(images), options_(options), set_(set), kinds_(std::move(kinds)), spare_ids_(set) {
  for (const auto& f : set.files) entries_.push_back(&f);
  for (const auto& t : set.tasks)
    for (const auto& e : t.table) held_.insert(e.id());
}

Kind& RestoreFiles::kind_of(const pb::file_entry& entry) const {
  for (const auto& kind : kinds_)
    if (kind->owns(entry)) return *kind;
  throw Error(Failure::image, format("files.img entry %u", entry.id()),
              format("open files of type %d cannot be restored", static_cast<int>(entry.type())));
}

void RestoreFiles::open_all() {
  most_ = raise_descriptor_limit();
  limit_ = std::min(most_, kMostInherited);
  for (const auto* e : entries_) {
    open_once(*e);
    make_room();
  }
  for (auto& kind : kinds_) {
    kind->finish_restore(*this);
    make_room();
  }
  // a task that inherits some and is sent others had to close those of all tasks
  if (!vaults_.empty()) park();
  log.info("%zu open files, %zu processes that hold them", std::max(fds_.size(), parked_.size()), vaults_.size());
}

/// Numbers are given from the lowest up: a high one tells of a table that fills.
void RestoreFiles::make_room() {
  if (highest_ > limit_ / 2 && fds_.size() > static_cast<size_t>(limit_ / 8)) park();
}

/// The launcher says so by its socket; alone, the engine stays unless it shall leave or become another program.
bool RestoreFiles::can_relay() const {
  if (options_.launcher_fd >= 0) return options_.terminal_fd >= 0;
  return !options_.detached && options_.exec_cmd.empty();
}

void RestoreFiles::park() {
  bool fresh = false;
  for (const auto& [id, fd] : fds_) fresh |= parked_.emplace(id, Place{vaults_.size(), fd.get()}).second;
  if (fresh) vaults_.push_back(std::make_unique<DescriptorVault>([this] { return spare_ids_(); }));
  fds_.clear();
  highest_ = 0;
}

int RestoreFiles::deliver(const std::vector<uint32_t>& ids) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
    throw_errno(Failure::environment, "engine", "a socket for descriptors cannot be made", errno);
  UniqueFd sender(ends[0]), receiver(ends[1]);
  int room = 16 << 20;
  ::setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  for (size_t done = 0; done < ids.size(); done += kMostRights)
    send(sender.get(), &ids[done], std::min(kMostRights, ids.size() - done));
  return keep(std::move(receiver));
}

void RestoreFiles::send(int socket, const uint32_t* ids, size_t count) {
  std::vector<UniqueFd> taken;
  alignas(cmsghdr) char control[CMSG_SPACE(kMostRights * sizeof(int))] = {};
  auto* head = reinterpret_cast<cmsghdr*>(control);
  *head = {CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  for (size_t i = 0; i < count; i++) {
    const Place& at = parked_.at(ids[i]);
    int fd = taken.emplace_back(vaults_[at.vault]->take(at.number)).get();
    std::memcpy(CMSG_DATA(head) + i * sizeof fd, &fd, sizeof fd);
  }
  char byte = 0;
  iovec part{&byte, 1};
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = CMSG_SPACE(count * sizeof(int));
  if (::sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    throw_errno(Failure::environment, "engine", format("%zu descriptors cannot be sent to their task", count), errno,
                errno == ETOOMANYREFS ? "raise ulimit -Hn" : "");
}

void RestoreFiles::end_parking() { vaults_.clear(); }

int RestoreFiles::keep(UniqueFd fd) {
  kept_.push_back(std::move(fd));
  return kept_.back().get();
}

void RestoreFiles::provide(uint32_t id, UniqueFd fd) {
  highest_ = std::max(highest_, fd.get());
  if (parked_.count(id) || !fds_.emplace(id, std::move(fd)).second)
    throw Error(Failure::internal, format("file %u", id), "it was provided twice");
}

void RestoreFiles::before_release() {
  for (auto& kind : kinds_) kind->before_release();
}

void RestoreFiles::after_release() {
  for (auto& kind : kinds_) kind->after_release();
}

void RestoreFiles::open_once(const pb::file_entry& e) {
  if (fds_.count(e.id()) || parked_.count(e.id())) return;
  if (!opening_.insert(e.id()).second) throw Error(Failure::image, format("file %u", e.id()), "it refers to itself");
  kind_of(e).open(e, *this);
  opening_.erase(e.id());
  // An entry may stand for something outside the tree, which only has a name.
  if (!fds_.count(e.id()) && has_holder(e.id()))
    throw Error(Failure::internal, format("file %u", e.id()), format("the kind %s did not open it", kind_of(e).name()));
}

int RestoreFiles::fd_of(uint32_t id) {
  auto it = fds_.find(id);
  if (it != fds_.end()) return it->second.get();
  if (auto at = parked_.find(id); at != parked_.end()) {
    UniqueFd& fd = fds_[id] = vaults_[at->second.vault]->take(at->second.number);
    highest_ = std::max(highest_, fd.get());
    return fd.get();
  }
  const pb::file_entry* e = entry(id);
  if (!e) throw Error(Failure::image, format("file %u", id), "files.img has no such entry");
  open_once(*e);
  it = fds_.find(id);
  if (it == fds_.end())
    throw Error(Failure::image, format("file %u", id),
                "it stands for something outside the tree, but the tree uses it");
  return it->second.get();
}

const pb::file_entry* RestoreFiles::entry(uint32_t id) const {
  auto it = set_.file_by_id.find(id);
  return it == set_.file_by_id.end() ? nullptr : it->second;
}

void RestoreFiles::fill_shared_memory(uint64_t shmid, int fd) {
  constexpr uint64_t kPage = 4096;
  ImageReader map = images_.require(Img::shmem_pagemap, shmid);
  pb::pagemap_head head;
  if (!map.next(head)) throw Error(Failure::image, map.name(), "it is empty");
  std::optional<ImageReader> pages;
  std::vector<std::byte> buf(1 << 20);
  uint64_t offset = 0;
  pb::pagemap_entry e;
  while (map.next(e)) {
    uint64_t n = e.has_nr_pages() ? e.nr_pages() : e.compat_nr_pages();
    if (e.has_flags() && !(e.flags() & 4)) continue;
    if (!pages) pages.emplace(images_.require(Img::pages, head.pages_id()));
    for (uint64_t done = 0; done < n * kPage;) {
      size_t chunk = std::min<uint64_t>(buf.size(), n * kPage - done);
      if (!pread_exact(pages->fd(), buf.data(), chunk, static_cast<off_t>(offset + done)))
        throw_errno(Failure::image, pages->name(), "it is shorter than its pagemap says", errno);
      if (!write_object(fd, buf.data(), chunk, e.vaddr() + done))
        throw_errno(Failure::environment, map.name(), "filling the memory object failed", errno,
                    huge_page_size(fd) ? "provide huge pages (vm.nr_hugepages)" : "free memory");
      done += chunk;
    }
    offset += n * kPage;
  }
}

}  // namespace nsr
