#include "engine/memory/page_store.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/interruption.h"
#include "engine/base/log.h"
#include "engine/memory/page_scan.h"
#include "engine/trace/tracee.h"
#include "pagemap.pb.h"

namespace nsr {
namespace {

const Logger log("pages");
constexpr uint64_t kPage = 4096;
constexpr size_t kChunk = 1 << 20;
constexpr uint32_t kPresent = 4, kLazy = 2;

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

/// Appends to a pages file with as few calls as possible.
class PagesFile {
 public:
  PagesFile(ImageDir& images, uint32_t id) : writer_(images.create(Img::pages, id)), fd_(writer_.fd()), name_(image_name(Img::pages, id)), buf_(kChunk) {}

  void append_from(HostPid pid, PageRange r) {
    for (uint64_t at = r.start; at < r.end;) {
      size_t n = std::min<uint64_t>(r.end - at, kChunk - fill_);
      // memory that its owner may not read is out of reach of process_vm_readv, not of /proc/PID/mem
      if (!try_read_memory(pid, RemoteAddr(at), buf_.data() + fill_, n))
        force_read(pid, RemoteAddr(at), buf_.data() + fill_, n);
      fill_ += n;
      at += n;
      if (fill_ == kChunk) flush();
    }
  }

  void append_from(int fd, uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end;) {
      size_t n = std::min<uint64_t>(end - at, kChunk - fill_);
      ssize_t k = ::pread(fd, buf_.data() + fill_, n, static_cast<off_t>(at));
      if (k < 0) throw_errno(Failure::target, "shared memory object", "reading it failed", errno);
      if (static_cast<size_t>(k) < n) std::memset(buf_.data() + fill_ + k, 0, n - static_cast<size_t>(k));
      fill_ += n;
      at += n;
      if (fill_ == kChunk) flush();
    }
  }

  void flush() {
    check_interruption();
    if (fill_ == 0) return;
    if (!write_exact(fd_, buf_.data(), fill_))
      throw_errno(Failure::io, "image " + name_, "writing it failed", errno, "free disk space or choose another -D");
    fill_ = 0;
  }

 private:
  ImageWriter writer_;
  int fd_;
  std::string name_;
  std::vector<std::byte> buf_;
  size_t fill_ = 0;
};

}  // namespace

void PageStore::write_task(HostPid pid, NsPid nspid, const std::vector<TaskRange>& ranges) {
  uint32_t id = next_pages_id_++;
  ImageWriter map = start_pagemap(images_, Img::pagemap, static_cast<uint64_t>(nspid.value), id);
  PagesFile pages(images_, id);
  uint64_t total = 0;
  for (const TaskRange& r : ranges) {
    uint64_t n = (r.range.end - r.range.start) / kPage;
    map.write(entry_of(r.range.start, n, kPresent | (r.lazy ? kLazy : 0)));
    pages.append_from(pid, r.range);
    total += n;
  }
  pages.flush();
  map.finish();
  counts_.written += total;
  log.info("pid %d: %llu pages in %zu ranges", pid.value, static_cast<unsigned long long>(total), ranges.size());
}

uint64_t find_pages(HostPid pid, const pb::mm_entry& mm, pb::nsr_mm_entry& ext, std::vector<PageStore::TaskRange>& out) {
  std::vector<PageRange> within;
  uint64_t first = 0, last = 0, mapped = 0;
  for (const pb::vma_entry& v : mm.vmas()) {
    if (v.status() & kVmaVsyscall) continue;
    if (!last) first = v.start();
    last = v.end();
    if (!has_own_pages(v)) continue;
    within.push_back({v.start(), v.end()});
    mapped += (v.end() - v.start()) / kPage;
  }
  ScannedPages scanned = PageScanner(pid).scan(first, last);
  size_t k = 0;
  for (const pb::vma_entry& v : mm.vmas()) {
    if (!has_own_pages(v)) continue;
    if (v.status() & kVmaVdso) {  // whole: the restore compares it with the running kernel's
      out.push_back({{v.start(), v.end()}, false});
      continue;
    }
    bool lazy = v.status() & kVmaAnonPrivate;
    while (k < scanned.own.size() && scanned.own[k].end <= v.start()) k++;
    for (size_t i = k; i < scanned.own.size() && scanned.own[i].start < v.end(); i++)
      out.push_back({{std::max(v.start(), scanned.own[i].start), std::min(v.end(), scanned.own[i].end)}, lazy});
  }
  auto put = [](const PageRange& r, pb::nsr_range& e) {
    e.set_start(r.start);
    e.set_end(r.end);
  };
  for (const PageRange& r : intersect(scanned.huge, within)) put(r, *ext.add_huge());
  for (const PageRange& r : intersect(scanned.guards, within)) put(r, *ext.add_guards());
  return mapped;
}

void PageStore::write_shared(uint64_t shmid, int fd, uint64_t length) {
  uint32_t id = next_pages_id_++;
  ImageWriter map = start_pagemap(images_, Img::shmem_pagemap, shmid, id);
  PagesFile pages(images_, id);
  uint64_t end_of_data = (length + kPage - 1) & ~(kPage - 1);
  for (uint64_t at = 0; at < length;) {
    off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    // what cannot tell its holes is all data
    off_t hole = data < 0 ? static_cast<off_t>(length) : ::lseek(fd, data, SEEK_HOLE);
    if (data < 0) data = static_cast<off_t>(at);
    if (hole < 0) hole = static_cast<off_t>(length);
    uint64_t from = static_cast<uint64_t>(data) & ~(kPage - 1);
    uint64_t to = std::min(end_of_data, (static_cast<uint64_t>(hole) + kPage - 1) & ~(kPage - 1));
    map.write(entry_of(from, (to - from) / kPage, kPresent));
    pages.append_from(fd, from, to);
    counts_.shared_written += (to - from) / kPage;
    at = to;
  }
  counts_.shared_scanned += end_of_data / kPage;
  pages.flush();
  map.finish();
}

}  // namespace nsr
