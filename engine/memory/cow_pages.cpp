#include "engine/memory/cow_pages.h"

#include <algorithm>

#include "engine/memory/page_scan.h"

namespace nsr {
namespace {
constexpr uint64_t kPage = 4096;
constexpr uint64_t kFrame = kWordPresent | kWordSwapped | kWordPfn;
}  // namespace

std::optional<PageRanges> CowPages::shared(HostPid pid, const PageRanges& own, HostPid parent,
                                           const PageRanges& parent_own) {
  auto [at, fresh] = parents_.try_emplace(parent);
  if (fresh) {
    PageScanner scanner(parent);
    for (const PageRange& r : parent_own) at->second.push_back({r, scanner.words(r)});
  }
  PageRanges out;
  PageScanner scanner(pid);
  bool seen = false, hidden = false;
  size_t k = 0;
  for (const PageRange& r : own) {
    std::vector<uint64_t> mine = scanner.words(r);
    for (size_t i = 0; i < mine.size(); i++) {
      uint64_t page = r.start + i * kPage;
      while (k < at->second.size() && at->second[k].range.end <= page) k++;
      bool both = k < at->second.size() && at->second[k].range.start <= page;
      uint64_t theirs = both ? at->second[k].words[(page - at->second[k].range.start) / kPage] : 0;
      if (!(mine[i] & (kWordPresent | kWordSwapped))) continue;
      ((mine[i] & kWordPfn) ? seen : hidden) = true;
      if ((mine[i] & kWordPfn) && (mine[i] & kFrame) == (theirs & kFrame))
        add_range(out, {page, page + kPage});
      else if ((mine[i] & kWordPfn) && (mine[i] & kWordPresent) && !(mine[i] & kWordExclusive))
        others_[parent][page].push_back({mine[i] & kFrame, pid});
    }
  }
  if (hidden && !seen) return std::nullopt;
  return out;
}

std::vector<CowPages::Group> CowPages::among_children(HostPid parent, const PageRanges& parent_memory) const {
  std::vector<Group> out;
  auto pages = others_.find(parent);
  if (pages == others_.end()) return out;
  for (const auto& [page, list] : pages->second) {
    if (list.size() < 2 || intersect({{page, page + kPage}}, parent_memory).empty()) continue;
    std::map<uint64_t, std::vector<HostPid>> groups;
    for (const auto& [frame, pid] : list) groups[frame].push_back(pid);
    auto largest = std::max_element(groups.begin(), groups.end(),
                                    [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    if (largest->second.size() > 1) out.push_back({page, largest->second});
  }
  return out;
}

}  // namespace nsr
