#include "engine/memory/own_pages.h"

#include <algorithm>

#include "engine/memory/aio_drain.h"
#include "engine/memory/aio_ring.h"
#include "engine/memory/page_scan.h"
#include "engine/procfs/maps.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

using procfs::MapsEntry;
using procfs::VmaNaming;

/// Private memory but the kernel's own.
bool has_own(const MapsEntry& m) {
  VmaNaming kind = procfs::naming(m);
  return !m.shared && kind != VmaNaming::vvar && kind != VmaNaming::vsyscall && kind != VmaNaming::special;
}

bool is_anonymous(const MapsEntry& m) { return m.inode == 0 || m.name.starts_with("/anon_hugepage"); }

std::vector<MapsEntry> mappings_of(HostPid pid, const PageRanges& skip) {
  std::vector<MapsEntry> out = procfs::parse_maps(procfs::ProcDir(pid).read("maps"));
  std::erase_if(out, [&](const MapsEntry& m) {
    return procfs::naming(m) == VmaNaming::vsyscall || std::any_of(skip.begin(), skip.end(), [&](const PageRange& r) {
             return m.start >= r.start && m.end <= r.end;
           });
  });
  return out;
}

void wait_for_requests(HostPid pid, const std::vector<MapsEntry>& mappings) {
  std::vector<uint64_t> rings;
  for (const MapsEntry& m : mappings)
    if (is_aio_ring(m)) rings.push_back(m.start);
  if (!rings.empty()) wait_for_aio(pid, rings);
}

void put(const PageRange& r, pb::nsr_range& e) {
  e.set_start(r.start);
  e.set_end(r.end);
}

}  // namespace

uint64_t find_own_pages(HostPid pid, const PageRanges& skip, pb::nsr_mm_entry& ext,
                        std::vector<PageStore::TaskRange>& out) {
  const std::vector<MapsEntry> mappings = mappings_of(pid, skip);
  wait_for_requests(pid, mappings);
  PageRanges within, all;  // guards may also be in mappings of files (6.15)
  uint64_t covered = 0;
  for (const MapsEntry& m : mappings) {
    all.push_back({m.start, m.end});
    if (!has_own(m)) continue;
    within.push_back({m.start, m.end});
    covered += m.length() / 4096;
  }
  if (all.empty()) return 0;
  ScannedPages scanned = PageScanner(pid).scan(all.front().start, all.back().end);
  size_t k = 0;
  for (const MapsEntry& m : mappings) {
    if (!has_own(m)) continue;
    if (procfs::naming(m) == VmaNaming::vdso) {  // whole: the restore compares it with the running kernel's
      out.push_back({{m.start, m.end}, false, false});
      continue;
    }
    while (k < scanned.own.size() && scanned.own[k].end <= m.start) k++;
    for (size_t i = k; i < scanned.own.size() && scanned.own[i].start < m.end; i++)
      out.push_back({{std::max(m.start, scanned.own[i].start), std::min(m.end, scanned.own[i].end)}, is_anonymous(m)});
  }
  for (const PageRange& r : intersect(scanned.huge, within)) put(r, *ext.add_huge());
  for (const PageRange& r : intersect(scanned.guards, all)) put(r, *ext.add_guards());
  return covered;
}

}  // namespace nsr
