// Sets of pages as lists of ranges: ascending, disjoint, not empty.
#pragma once

#include <cstdint>
#include <vector>

namespace nsr {

/// Range of remote addresses, page aligned, half open.
struct PageRange {
  uint64_t start = 0, end = 0;
  bool operator==(const PageRange&) const = default;
};
using PageRanges = std::vector<PageRange>;

/// Appends; what touches the last range extends it.
inline void add_range(PageRanges& list, PageRange r) {
  if (!list.empty() && list.back().end == r.start)
    list.back().end = r.end;
  else
    list.push_back(r);
}
PageRanges intersect(const PageRanges& a, const PageRanges& b);
PageRanges subtract(const PageRanges& a, const PageRanges& b);
/// Whether they have a page in common; fast where one list is short.
bool overlap(const PageRanges& a, const PageRanges& b);
/// Touching ranges become one.
PageRanges unite(const PageRanges& a, const PageRanges& b);

}  // namespace nsr
