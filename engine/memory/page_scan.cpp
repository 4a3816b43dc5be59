#include "engine/memory/page_scan.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;

// linux/fs.h of 6.7; Debian 12's headers are older
struct PageRegion {
  uint64_t start, end, categories;
};
struct PmScanArg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
      category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
constexpr uint64_t kIsFile = 1 << 2, kIsPresent = 1 << 3, kIsSwapped = 1 << 4, kIsPfnZero = 1 << 5;

// bits of a pagemap word (Documentation/admin-guide/mm/pagemap.rst)
constexpr uint64_t kWordPresent = 1ull << 63, kWordSwapped = 1ull << 62, kWordFile = 1ull << 61;

void add(std::vector<PageRange>& out, uint64_t start, uint64_t end) {
  if (!out.empty() && out.back().end == start)
    out.back().end = end;
  else
    out.push_back({start, end});
}

}  // namespace

PageScanner::PageScanner(HostPid pid) : pid_(pid) {
  std::string path = format("/proc/%d/pagemap", pid.value);
  fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) throw_errno(Failure::target, format("pid %d", pid.value), path + " cannot be opened", errno);
}

void PageScanner::own_pages(uint64_t start, uint64_t end, std::vector<PageRange>& out) {
  scanned_ += (end - start) / kPage;
  if (has_scan_ && scan(start, end, out)) return;
  has_scan_ = false;
  read_words(start, end, out);
}

bool PageScanner::scan(uint64_t start, uint64_t end, std::vector<PageRange>& out) {
  PageRegion regions[512];
  while (start < end) {
    PmScanArg a{};
    a.size = sizeof a;
    a.start = start;
    a.end = end;
    a.vec = reinterpret_cast<uint64_t>(regions);
    a.vec_len = 512;
    a.category_inverted = kIsPfnZero | kIsFile;
    a.category_mask = kIsPfnZero | kIsFile;
    a.category_anyof_mask = kIsPresent | kIsSwapped;
    a.return_mask = kIsPresent;
    int n = ::ioctl(fd_.get(), kPagemapScan, &a);
    if (n < 0 && (errno == ENOTTY || errno == EINVAL)) return false;
    if (n < 0) throw_errno(Failure::target, format("pid %d", pid_.value), "PAGEMAP_SCAN failed", errno);
    for (int i = 0; i < n; i++) add(out, regions[i].start, regions[i].end);
    if (a.walk_end <= start) break;
    start = a.walk_end;
  }
  return true;
}

void PageScanner::read_words(uint64_t start, uint64_t end, std::vector<PageRange>& out) {
  constexpr size_t kBatch = 8192;
  std::vector<uint64_t> words(kBatch);
  for (uint64_t at = start; at < end;) {
    size_t n = std::min<uint64_t>(kBatch, (end - at) / kPage);
    if (!pread_exact(fd_.get(), words.data(), n * 8, static_cast<off_t>(at / kPage * 8)))
      throw_errno(Failure::target, format("pid %d", pid_.value), "reading pagemap failed", errno);
    for (size_t i = 0; i < n; i++) {
      bool own = (words[i] & (kWordPresent | kWordSwapped)) && !(words[i] & kWordFile);
      if (own) add(out, at + i * kPage, at + (i + 1) * kPage);
    }
    at += n * kPage;
  }
}

}  // namespace nsr
