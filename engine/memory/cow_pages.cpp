#include "engine/memory/cow_pages.h"

#include <algorithm>

#include "engine/memory/page_scan.h"

namespace nsr {
namespace {
constexpr uint64_t kPage = 4096;
constexpr uint64_t kFrame = kWordPresent | kWordSwapped | kWordPfn;
}  // namespace

std::optional<PageRanges> CowPages::shared(HostPid pid, const PageRanges& own, HostPid parent, const PageRanges& parent_own) {
  auto [at, fresh] = parents_.try_emplace(parent);
  if (fresh) {
    PageScanner scanner(parent);
    for (const PageRange& r : parent_own) at->second.push_back({r, scanner.words(r)});
  }
  PageRanges out;
  PageScanner scanner(pid);
  bool seen = false, hidden = false;
  size_t k = 0;
  for (const PageRange& r : intersect(own, parent_own)) {
    std::vector<uint64_t> mine = scanner.words(r);
    for (size_t i = 0; i < mine.size(); i++) {
      uint64_t page = r.start + i * kPage;
      while (at->second[k].range.end <= page) k++;
      uint64_t theirs = at->second[k].words[(page - at->second[k].range.start) / kPage];
      if (!(mine[i] & (kWordPresent | kWordSwapped))) continue;
      ((mine[i] & kWordPfn) ? seen : hidden) = true;
      if ((mine[i] & kWordPfn) && (mine[i] & kFrame) == (theirs & kFrame)) add_range(out, {page, page + kPage});
    }
  }
  if (hidden && !seen) return std::nullopt;
  return out;
}

}  // namespace nsr
