#include "engine/memory/page_store.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/interruption.h"
#include "engine/base/log.h"
#include "engine/base/memory_object.h"
#include "engine/memory/page_buffer.h"
#include "engine/memory/pagemap_links.h"
#include "engine/trace/tracee.h"
#include "pagemap.pb.h"

namespace nsr {
namespace {

const Logger log("pages");
constexpr uint64_t kPage = 4096;
constexpr uint64_t kChunk = 1 << 20;  // 256 pages: never more than 256 pieces
constexpr uint32_t kPresent = 4, kLazy = 2, kParent = 1;

pb::pagemap_entry entry_of(uint64_t vaddr, uint64_t n, uint32_t flags) {
  pb::pagemap_entry e;
  e.set_vaddr(vaddr);
  // both counts, so that readers of either age see the pages
  e.set_compat_nr_pages(static_cast<uint32_t>(n));
  e.set_nr_pages(n);
  e.set_flags(flags);
  return e;
}

ImageWriter start_pagemap(ImageDir& images, Img type, uint64_t number, uint32_t pages_id) {
  ImageWriter w = images.create(type, number);
  pb::pagemap_head head;
  head.set_pages_id(pages_id);
  w.write(head);
  return w;
}

bool is_zero(int fd, uint64_t start, uint64_t n) {
  static const std::vector<std::byte> zeros(kChunk);
  std::vector<std::byte> buffer(kChunk);
  for (uint64_t at = start; at < start + n; at += kChunk) {
    ssize_t k = ::pread(fd, buffer.data(), kChunk, static_cast<off_t>(at));
    if (k < 0 || std::memcmp(buffer.data(), zeros.data(), static_cast<size_t>(k)) != 0) return false;
  }
  return true;
}

}  // namespace

/// A pages file under construction. Pages of a task go in by several threads, each reading and writing chunks at
/// offsets of their own.
class PagesFile {
 public:
  PagesFile(ImageDir& images, uint32_t id, PageBuffer* held = nullptr)
      : writer_(images.create(Img::pages, id)), fd_(writer_.fd()), name_(image_name(Img::pages, id)), held_(held) {}

  /// cow: the pages have more users than one.
  void write_pages(const std::vector<PageStore::CommonRange>& ranges, bool cow,
                   const std::function<void()>& meanwhile) {
    cow_ = cow;
    cut(ranges);
    std::vector<Chunk>& chunks = chunks_;
    std::atomic<size_t> next{0};
    std::exception_ptr failure;
    std::mutex mutex;
    auto work = [&](auto between) {
      try {
        std::unique_ptr<std::byte[]> buffer;
        for (size_t i; (i = next.fetch_add(1)) < chunks.size(); between()) move(chunks[i], buffer);
      } catch (...) {
        std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = chunks.size();
      }
    };
    std::vector<std::thread> helpers;
    size_t threads = std::min<size_t>({chunks.size() / 4, std::thread::hardware_concurrency(), kThreads});
    for (size_t i = 1; i < threads; i++) helpers.emplace_back(work, [] {});
    work(meanwhile);
    for (auto& t : helpers) t.join();
    if (failure) std::rethrow_exception(failure);
  }

  bool holds_pages() const {
    return std::any_of(chunks_.begin(), chunks_.end(), [](const Chunk& c) { return c.held; });
  }

  void write_held() {
    for (const Chunk& c : chunks_)
      if (c.held) put(c.held, c.bytes, c.offset);
  }

  void append_from(int fd, uint64_t start, uint64_t end) {
    std::vector<std::byte> buffer(std::min<uint64_t>(end - start, kChunk));
    for (uint64_t at = start; at < end;) {
      size_t n = std::min<uint64_t>(end - at, kChunk);
      if (!read_object(fd, buffer.data(), n, at))
        throw_errno(Failure::target, "shared memory object", "reading it failed", errno);
      put(buffer.data(), n, end_);
      end_ += n;
      at += n;
    }
  }

 private:
  static constexpr size_t kThreads = 4;
  struct Chunk {
    HostPid pid;
    uint64_t offset, bytes;
    std::vector<PageRange> pieces;
    std::byte* held = nullptr;  ///< where its bytes wait to be written
  };

  void cut(const std::vector<PageStore::CommonRange>& ranges) {
    uint64_t offset = 0;
    for (const auto& r : ranges)
      for (uint64_t at = r.range.start, n; at < r.range.end; at += n, offset += n) {
        if (chunks_.empty() || chunks_.back().bytes == kChunk || chunks_.back().pid != r.pid)
          chunks_.push_back({r.pid, offset, 0, {}, nullptr});
        Chunk& c = chunks_.back();
        n = std::min(r.range.end - at, kChunk - c.bytes);
        c.pieces.push_back({at, at + n});
        c.bytes += n;
      }
  }

  void move(Chunk& c, std::unique_ptr<std::byte[]>& buffer) {
    if (held_ && (c.held = held_->take(c.bytes))) return read(c, c.held);
    if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(kChunk);
    read(c, buffer.get());
    put(buffer.get(), c.bytes, c.offset);
  }

  void read(const Chunk& c, std::byte* buffer) const {
    const HostPid pid = c.pid;
    std::vector<iovec> remote;
    for (const PageRange& p : c.pieces) remote.push_back({reinterpret_cast<void*>(p.start), p.end - p.start});
    iovec local{buffer, c.bytes};
    // process_vm_readv pins pages, and what is pinned is copied first when it is shared since fork (5.19); reads of
    // /proc/PID/mem leave it shared
    ssize_t n = cow_ ? -1 : ::process_vm_readv(pid.value, &local, 1, remote.data(), remote.size(), 0);
    if (n != static_cast<ssize_t>(c.bytes)) {
      // memory that its owner may not read is out of reach of process_vm_readv, not of /proc/PID/mem
      std::byte* to = buffer;
      for (const PageRange& p : c.pieces) {
        if (cow_ || !try_read_memory(pid, RemoteAddr(p.start), to, p.end - p.start))
          force_read(pid, RemoteAddr(p.start), to, p.end - p.start);
        to += p.end - p.start;
      }
    }
  }

  void put(const void* bytes, size_t n, uint64_t offset) const {
    check_interruption();
    if (!pwrite_exact(fd_, bytes, n, static_cast<off_t>(offset)))
      throw_errno(Failure::io, "image " + name_, "writing it failed", errno, "free disk space or choose another -D");
    // the disk begins at once: less to wait for when the images are made complete
    (void)::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(n), SYNC_FILE_RANGE_WRITE);
  }

  ImageWriter writer_;
  int fd_;
  std::string name_;
  std::vector<Chunk> chunks_;
  PageBuffer* held_;
  uint64_t end_ = 0;
  bool cow_ = false;
};

PageStore::PageStore(ImageDir& images) : images_(images) {}
PageStore::~PageStore() = default;

void PageStore::hold(uint64_t bytes) { buffer_ = std::make_unique<PageBuffer>(bytes); }

void PageStore::write_held() {
  for (auto& file : held_) file->write_held();
  held_.clear();
  buffer_.reset();
}

uint32_t PageStore::write_task(HostPid pid, NsPid nspid, const std::vector<TaskRange>& ranges, bool cow,
                               const PageRanges& elsewhere) {
  uint32_t id = next_pages_id_++;
  ImageWriter map = start_pagemap(images_, Img::pagemap, static_cast<uint64_t>(nspid.value), id);
  std::vector<CommonRange> own;
  size_t k = 0;
  for (const TaskRange& r : ranges)
    for (uint64_t at = r.range.start; at < r.range.end;) {
      while (k < elsewhere.size() && elsewhere[k].end <= at) k++;
      bool there = k < elsewhere.size() && elsewhere[k].start <= at;
      uint64_t end = k == elsewhere.size() ? r.range.end : there ? elsewhere[k].end : elsewhere[k].start;
      end = std::min(end, r.range.end);
      map.write(entry_of(at, (end - at) / kPage, there ? kParent : kPresent | (r.lazy ? kLazy : 0)));
      if (!there) own.push_back({{at, end}, pid});
      at = end;
    }
  uint64_t total = write_pages(id, own, cow);
  map.finish();
  log.info("pid %d: %llu pages in %zu ranges", pid.value, static_cast<unsigned long long>(total), own.size());
  return id;
}

uint32_t PageStore::write_common(size_t index, const std::vector<CommonRange>& ranges, const PageRanges& elsewhere) {
  uint32_t id = next_pages_id_++;
  ImageWriter map = start_pagemap(images_, Img::pagemap, static_cast<uint64_t>(common_pagemap(index).value), id);
  PageRanges behind;
  for (const CommonRange& r : ranges) behind.push_back(r.range);
  behind = subtract(elsewhere, behind);
  auto next = behind.begin();
  auto write_behind = [&](uint64_t end) {
    for (; next != behind.end() && next->start < end; ++next)
      map.write(entry_of(next->start, (next->end - next->start) / kPage, kParent));
  };
  for (const CommonRange& r : ranges) {
    write_behind(r.range.start);
    map.write(entry_of(r.range.start, (r.range.end - r.range.start) / kPage, kPresent));
  }
  write_behind(UINT64_MAX);
  uint64_t total = write_pages(id, ranges, true);
  map.finish();
  log.info("%llu pages that tasks have in common but not with their parents", static_cast<unsigned long long>(total));
  return id;
}

uint64_t PageStore::write_pages(uint32_t id, const std::vector<CommonRange>& ranges, bool cow) {
  auto pages = std::make_unique<PagesFile>(images_, id, buffer_.get());
  pages->write_pages(ranges, cow, meanwhile_);
  if (pages->holds_pages()) held_.push_back(std::move(pages));
  uint64_t total = 0;
  for (const CommonRange& r : ranges) total += (r.range.end - r.range.start) / kPage;
  counts_.written += total;
  return total;
}

void PageStore::write_shared(uint64_t shmid, int fd, uint64_t length) {
  uint32_t id = next_pages_id_++;
  ImageWriter map = start_pagemap(images_, Img::shmem_pagemap, shmid, id);
  PagesFile pages(images_, id);
  auto write = [&](uint64_t from, uint64_t to) {
    map.write(entry_of(from, (to - from) / kPage, kPresent));
    pages.append_from(fd, from, to);
    counts_.shared_written += (to - from) / kPage;
  };
  uint64_t end_of_data = (length + kPage - 1) & ~(kPage - 1), huge = huge_page_size(fd);
  for (uint64_t at = 0; at < length;) {
    if (huge) {  // hugetlbfs does not tell its holes
      if (!is_zero(fd, at, huge)) write(at, at + huge);
      at += huge;
      continue;
    }
    off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    // what cannot tell its holes is all data
    off_t hole = data < 0 ? static_cast<off_t>(length) : ::lseek(fd, data, SEEK_HOLE);
    if (data < 0) data = static_cast<off_t>(at);
    if (hole < 0) hole = static_cast<off_t>(length);
    uint64_t from = static_cast<uint64_t>(data) & ~(kPage - 1);
    uint64_t to = std::min(end_of_data, (static_cast<uint64_t>(hole) + kPage - 1) & ~(kPage - 1));
    write(from, to);
    at = to;
  }
  counts_.shared_scanned += end_of_data / kPage;
  map.finish();
}

}  // namespace nsr
