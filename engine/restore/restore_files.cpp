#include "engine/restore/restore_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/descriptors/table.h"
#include "engine/memory/memory_object.h"
#include "pagemap.pb.h"

namespace nsr {
namespace {
const Logger log("files");
}

RestoreFiles::RestoreFiles(ImageDir& images, const RestoreOptions& options, const ImageSet& set,
                           std::vector<std::unique_ptr<Kind>> kinds)
    : images_(images), options_(options), set_(set), kinds_(std::move(kinds)) {
  for (const auto& f : set.files) entries_.push_back(&f);
  for (const auto& t : set.tasks)
    for (const auto& e : t.table) {
      held_.insert(e.id());
      numbers_.insert(static_cast<int>(e.fd()));
    }
}

Kind& RestoreFiles::kind_of(const pb::file_entry& entry) const {
  for (const auto& kind : kinds_)
    if (kind->owns(entry)) return *kind;
  throw Error(Failure::image, format("files.img entry %u", entry.id()),
              format("open files of type %d cannot be restored", static_cast<int>(entry.type())));
}

void RestoreFiles::open_all() {
  raise_descriptor_limit();
  for (const auto* e : entries_) open_once(*e);
  for (auto& kind : kinds_) kind->finish_restore(*this);
  // held by nobody afterwards, so that the inherited table really has it free
  UniqueFd reserve(free_number(images_.fd()));
  spare_ = reserve.get();
  log.info("%zu open files", fds_.size());
}

/// A duplicate of fd at a number that no table has.
int RestoreFiles::free_number(int fd) {
  std::vector<UniqueFd> passed;
  for (int from = 3;;) {
    int n = ::fcntl(fd, F_DUPFD_CLOEXEC, from);
    if (n < 0) throw_errno(Failure::environment, "engine", "no descriptor number is free", errno, "raise ulimit -Hn");
    if (!numbers_.count(n)) return n;
    passed.emplace_back(n);
    from = n + 1;
  }
}

/// The launcher says so by its socket; alone, the engine stays unless it shall leave or become another program.
bool RestoreFiles::can_relay() const {
  if (options_.launcher_fd >= 0) return options_.terminal_fd >= 0;
  return !options_.detached && options_.exec_cmd.empty();
}

int RestoreFiles::keep(UniqueFd fd) {
  kept_.push_back(std::move(fd));
  return kept_.back().get();
}

void RestoreFiles::provide(uint32_t id, UniqueFd fd) {
  if (!fds_.emplace(id, std::move(fd)).second)
    throw Error(Failure::internal, format("file %u", id), "it was provided twice");
}

void RestoreFiles::after_release() {
  for (auto& kind : kinds_) kind->after_release();
}

void RestoreFiles::open_once(const pb::file_entry& e) {
  if (fds_.count(e.id())) return;
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
