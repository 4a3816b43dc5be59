#include "engine/memory/common_pages.h"

#include <algorithm>
#include <map>

#include "engine/memory/page_scan.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kWindow = 64 << 20;  // of all tasks at a time, so that much memory of many needs little of ours
constexpr size_t kNobody = SIZE_MAX;

class Comparison {
 public:
  explicit Comparison(const std::vector<PrivatePages>& tasks) : tasks_(tasks), at_(tasks.size()) {}

  std::optional<std::vector<CommonPages>> run() {
    while (auto window = next_window()) {
      if (!read(*window)) return std::nullopt;
      if (present_.size() > 1) group(*window);
    }
    return std::move(found_);
  }

 private:
  /// The pagemap words of one task in a window; 0 for what nobody else can have.
  struct Words {
    size_t task;
    std::vector<uint64_t> words;
  };

  std::optional<PageRange> next_window() const {
    uint64_t first = UINT64_MAX;
    for (size_t t = 0; t < tasks_.size(); t++)
      if (at_[t] < tasks_[t].pages.size()) first = std::min(first, tasks_[t].pages[at_[t]].start);
    if (first == UINT64_MAX) return std::nullopt;
    return PageRange{std::max(first, done_), (std::max(first, done_) & ~(kWindow - 1)) + kWindow};
  }

  /// False when frames are hidden.
  bool read(PageRange window) {
    present_.clear();
    done_ = window.end;
    std::vector<std::pair<size_t, PageRanges>> here;
    for (size_t t = 0; t < tasks_.size(); t++)
      if (PageRanges pages = take(t, window); !pages.empty()) here.emplace_back(t, std::move(pages));
    if (here.size() < 2) return true;
    for (const auto& [task, pages] : here)
      if (!read_words(task, pages, window)) return false;
    return true;
  }

  bool read_words(size_t task, const PageRanges& pages, PageRange window) {
    const uint64_t first = pages.front().start;
    std::vector<uint64_t> words = PageScanner(tasks_[task].pid).words({first, pages.back().end});
    Words& w = present_.emplace_back();
    w.task = task;
    w.words.resize((window.end - window.start) / kPage);
    for (const PageRange& r : pages)
      for (uint64_t page = r.start; page < r.end; page += kPage) {
        uint64_t word = words[(page - first) / kPage];
        if ((word & kWordPresent) && !(word & kWordPfn)) return false;
        if ((word & kWordExclusive) || !(word & (kWordPresent | kWordSwapped))) continue;
        w.words[(page - window.start) / kPage] = word & (kWordPresent | kWordSwapped | kWordPfn);
      }
    return true;
  }

  /// The pages of a task in a window. Behind it nothing is left of them.
  PageRanges take(size_t t, PageRange window) {
    PageRanges out;
    const PageRanges& pages = tasks_[t].pages;
    for (; at_[t] < pages.size() && pages[at_[t]].start < window.end; at_[t]++) {
      out.push_back({std::max(pages[at_[t]].start, window.start), std::min(pages[at_[t]].end, window.end)});
      if (pages[at_[t]].end > window.end) break;
    }
    return out;
  }

  void group(PageRange window) {
    std::vector<size_t> first(present_.size()), before;
    std::vector<size_t> sets;  // of the page before, in found_
    for (uint64_t page = window.start; page < window.end; page += kPage) {
      if (!find_first(static_cast<size_t>((page - window.start) / kPage), first)) {
        before.clear();
        continue;
      }
      if (first != before) sets = sets_of(first);
      before = first;
      for (size_t s : sets) add_range(found_[s].pages, {page, page + kPage});
    }
  }

  /// For each task of the window the first one with the same frame; false when no two have the same.
  bool find_first(size_t page, std::vector<size_t>& first) const {
    bool common = false;
    size_t last = kNobody;  // most have what the one before has
    for (size_t i = 0; i < present_.size(); i++) {
      first[i] = kNobody;
      uint64_t word = present_[i].words[page];
      if (!word) continue;
      if (last != kNobody && present_[last].words[page] == word) first[i] = first[last];
      for (size_t k = 0; k < i && first[i] == kNobody; k++)
        if (first[k] == k && present_[k].words[page] == word) first[i] = k;
      if (first[i] == kNobody)
        first[i] = i;
      else
        common = true;
      last = i;
    }
    return common;
  }

  std::vector<size_t> sets_of(const std::vector<size_t>& first) {
    std::vector<size_t> out;
    for (size_t leader = 0; leader < first.size(); leader++) {
      std::vector<size_t> members;
      for (size_t i = leader; i < first.size(); i++)
        if (first[i] == leader) members.push_back(present_[i].task);
      if (members.size() < 2) continue;
      auto [set, fresh] = by_members_.try_emplace(members, found_.size());
      if (fresh) found_.push_back({members, {}});
      out.push_back(set->second);
    }
    return out;
  }

  const std::vector<PrivatePages>& tasks_;
  std::vector<size_t> at_;  ///< by task: the first range that is not behind
  uint64_t done_ = 0;       ///< end of the last window
  std::vector<Words> present_;
  std::map<std::vector<size_t>, size_t> by_members_;
  std::vector<CommonPages> found_;
};

}  // namespace

std::optional<std::vector<CommonPages>> find_common_pages(const std::vector<PrivatePages>& tasks) {
  if (tasks.size() < 2) return std::vector<CommonPages>();
  return Comparison(tasks).run();
}

}  // namespace nsr
