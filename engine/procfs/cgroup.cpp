#include "engine/procfs/cgroup.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "cgroup";
constexpr std::string_view kDeleted = " (deleted)";

}  // namespace

std::vector<CgroupEntry> parse_cgroup(std::string_view text) {
  std::vector<CgroupEntry> entries;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    LineParser p(kKind, *line);
    CgroupEntry entry;
    entry.hierarchy = p.number<uint32_t>();
    p.expect(":");
    auto controllers = p.scan().until(':');
    if (!controllers) p.fail("no path");
    entry.controllers = *controllers;
    std::string_view path = p.rest();
    if (!path.starts_with('/')) p.fail("path is not absolute");
    entry.deleted = path.ends_with(kDeleted);
    if (entry.deleted) path.remove_suffix(kDeleted.size());
    entry.path = path;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace nsr::procfs
