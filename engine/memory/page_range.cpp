#include "engine/memory/page_range.h"

#include <algorithm>

namespace nsr {

PageRanges intersect(const PageRanges& a, const PageRanges& b) {
  PageRanges out;
  size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    uint64_t start = std::max(a[i].start, b[k].start), end = std::min(a[i].end, b[k].end);
    if (start < end) out.push_back({start, end});
    if (a[i].end < b[k].end)
      i++;
    else
      k++;
  }
  return out;
}

PageRanges subtract(const PageRanges& a, const PageRanges& b) {
  PageRanges out;
  size_t k = 0;
  for (PageRange r : a) {
    while (k < b.size() && b[k].end <= r.start) k++;
    for (size_t i = k; i < b.size() && b[i].start < r.end; i++) {
      if (b[i].start > r.start) out.push_back({r.start, b[i].start});
      r.start = std::min(r.end, b[i].end);
    }
    if (r.start < r.end) out.push_back(r);
  }
  return out;
}

bool overlap(const PageRanges& a, const PageRanges& b) {
  if (a.size() > b.size()) return overlap(b, a);
  return std::any_of(a.begin(), a.end(), [&](const PageRange& r) {
    auto at =
        std::upper_bound(b.begin(), b.end(), r.start, [](uint64_t start, const PageRange& x) { return start < x.end; });
    return at != b.end() && at->start < r.end;
  });
}

PageRanges unite(const PageRanges& a, const PageRanges& b) {
  PageRanges out, both(a);
  both.insert(both.end(), b.begin(), b.end());
  std::sort(both.begin(), both.end(), [](const PageRange& x, const PageRange& y) { return x.start < y.start; });
  for (const PageRange& r : both) {
    if (!out.empty() && r.start <= out.back().end)
      out.back().end = std::max(out.back().end, r.end);
    else
      out.push_back(r);
  }
  return out;
}

}  // namespace nsr
