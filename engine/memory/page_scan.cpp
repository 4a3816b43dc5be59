#include "engine/memory/page_scan.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/procfs/maps.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096, kHugePage = 2 << 20, kHugeWords = kHugePage / kPage;

// linux/fs.h of 6.7; Debian 12's headers are older
struct PageRegion {
  uint64_t start, end, categories;
};
struct PmScanArg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
      category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
constexpr uint64_t kIsFile = 1 << 2, kIsPresent = 1 << 3, kIsSwapped = 1 << 4, kIsPfnZero = 1 << 5, kIsHuge = 1 << 6,
                   kIsGuard = 1 << 8;

/// CRIU_FAULT=135 in the environment, as with the peer: as if the kernel had no PAGEMAP_SCAN.
bool is_denied() {
  const char* fault = std::getenv("CRIU_FAULT");
  return fault && std::string_view(fault) == "135";
}

/// Which page frames are parts of huge pages, /proc/kpageflags; of none where that may not be read.
class HugeFrames {
 public:
  HugeFrames() : fd_(::open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)) {}
  /// Words of pagemap for an aligned range of the size of a huge page.
  bool is_huge(std::span<const uint64_t> words) const {
    constexpr uint64_t kThp = 1 << 22;
    if (!fd_ || !is_own(words[0])) return false;
    const uint64_t first = words[0] & kWordPfn;
    for (size_t i = 0; i < words.size(); i++)
      if (!is_own(words[i]) || (words[i] & kWordPfn) != first + i) return false;
    uint64_t flags = 0;
    return first % words.size() == 0 && first != 0 &&
           pread_exact(fd_.get(), &flags, sizeof flags, static_cast<off_t>(first * sizeof flags)) && (flags & kThp);
  }

 private:
  static bool is_own(uint64_t word) { return (word & (kWordPresent | kWordFile)) == kWordPresent; }
  UniqueFd fd_;
};

}  // namespace

PageScanner::PageScanner(HostPid pid) : pid_(pid) {
  std::string path = format("/proc/%d/pagemap", pid.value);
  fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) throw_errno(Failure::target, format("pid %d", pid.value), path + " cannot be opened", errno);
}

ScannedPages PageScanner::scan(uint64_t start, uint64_t end) {
  ScannedPages out;
  if (!is_denied() && scan_ioctl(start, end, out)) return out;
  out = {};
  std::vector<PageRange> mapped;
  for (const auto& m : procfs::parse_maps(procfs::ProcDir(pid_).read("maps")))
    if (m.start >= start && m.end <= end) add_range(mapped, {m.start, m.end});
  scan_words(mapped, out);
  return out;
}

bool PageScanner::scan_ioctl(uint64_t start, uint64_t end, ScannedPages& out) {
  // the kernel collects 512 regions at a time; with room for more, walk_end may be where an inner batch ended (6.18)
  std::vector<PageRegion> regions(512);
  uint64_t guard = kIsGuard;
  while (start < end) {
    PmScanArg a{};
    a.size = sizeof a;
    a.start = start;
    a.end = end;
    a.vec = reinterpret_cast<uint64_t>(regions.data());
    a.vec_len = regions.size();
    a.category_inverted = kIsPfnZero | kIsFile;
    a.category_mask = kIsPfnZero | kIsFile;
    a.category_anyof_mask = kIsPresent | kIsSwapped;
    a.return_mask = kIsHuge | guard;
    int n = ::ioctl(fd_.get(), kPagemapScan, &a);
    if (n < 0 && errno == EINVAL && guard) {
      guard = 0;
      continue;
    }
    if (n < 0 && (errno == ENOTTY || errno == EINVAL)) return false;
    if (n < 0) throw_errno(Failure::target, format("pid %d", pid_.value), "PAGEMAP_SCAN failed", errno);
    for (size_t i = 0; i < static_cast<size_t>(n); i++) {
      const PageRegion& r = regions[i];
      add_range(r.categories & kIsGuard ? out.guards : out.own, {r.start, r.end});
      if (r.categories & kIsHuge) add_range(out.huge, {r.start, r.end});
    }
    if (a.walk_end <= start) break;
    start = a.walk_end;
  }
  return true;
}

std::vector<uint64_t> PageScanner::words(PageRange range) const {
  std::vector<uint64_t> words((range.end - range.start) / kPage);
  if (!pread_exact(fd_.get(), words.data(), words.size() * 8, static_cast<off_t>(range.start / kPage * 8)))
    throw_errno(Failure::target, format("pid %d", pid_.value), "reading pagemap failed", errno);
  return words;
}

void PageScanner::scan_words(const std::vector<PageRange>& mapped, ScannedPages& out) const {
  constexpr uint64_t kBatch = 16 * kHugePage;
  HugeFrames frames;
  for (const PageRange& m : mapped)
    for (uint64_t at = m.start, end; at < m.end; at = end) {
      end = std::min(m.end, (at + kBatch) & ~(kHugePage - 1));
      std::vector<uint64_t> w = words({at, end});
      for (uint64_t huge = (at + kHugePage - 1) & ~(kHugePage - 1); huge + kHugePage <= end; huge += kHugePage)
        if (frames.is_huge(std::span(w).subspan((huge - at) / kPage, kHugeWords)))
          add_range(out.huge, {huge, huge + kHugePage});
      for (size_t i = 0; i < w.size(); i++) {
        uint64_t page = at + i * kPage;
        if (w[i] & kWordGuard)
          add_range(out.guards, {page, page + kPage});
        else if ((w[i] & (kWordPresent | kWordSwapped)) && !(w[i] & kWordFile))
          add_range(out.own, {page, page + kPage});
      }
    }
}

}  // namespace nsr
