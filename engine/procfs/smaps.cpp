#include "engine/procfs/smaps.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "smaps";

/// Codes in the order of the bits of VmFlag.
constexpr std::string_view kCodes[] = {"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "pf", "dw",
                                       "lo", "io", "sr", "rr", "dc", "de", "ac", "nr", "ht", "sf", "ar",
                                       "wf", "dd", "sd", "mm", "hg", "nh", "mg", "bt", "mt", "um", "uw",
                                       "ui", "ss", "sl", "lf", "dp", "gu", "nl", "mp"};
static_assert(1ULL << (std::size(kCodes) - 1) == static_cast<uint64_t>(VmFlag::mp));

struct SizeField {
  std::string_view key;
  uint64_t SmapsEntry::*member;
};
constexpr SizeField kSizes[] = {
    {"Size", &SmapsEntry::size},
    {"KernelPageSize", &SmapsEntry::kernel_page_size},
    {"Rss", &SmapsEntry::rss},
    {"Pss", &SmapsEntry::pss},
    {"Shared_Clean", &SmapsEntry::shared_clean},
    {"Shared_Dirty", &SmapsEntry::shared_dirty},
    {"Private_Clean", &SmapsEntry::private_clean},
    {"Private_Dirty", &SmapsEntry::private_dirty},
    {"Anonymous", &SmapsEntry::anonymous},
    {"LazyFree", &SmapsEntry::lazy_free},
    {"AnonHugePages", &SmapsEntry::anon_huge_pages},
    {"ShmemPmdMapped", &SmapsEntry::shmem_pmd_mapped},
    {"Shared_Hugetlb", &SmapsEntry::shared_hugetlb},
    {"Private_Hugetlb", &SmapsEntry::private_hugetlb},
    {"Swap", &SmapsEntry::swap},
    {"Locked", &SmapsEntry::locked},
};

void parse_flags(LineParser& p, SmapsEntry& entry) {
  while (!p.at_end()) {
    std::string_view code = p.word();
    if (std::optional<VmFlag> flag = vm_flag(code)) {
      entry.flags |= static_cast<uint64_t>(*flag);
      continue;
    }
    if (!entry.unknown_flags.empty()) entry.unknown_flags += ' ';
    entry.unknown_flags += code;
  }
  // MLOCK_ONFAULT had no code of its own before 6.14; of what locked memory can have, nothing else was without one
  if (entry.unknown_flags == "??" && entry.has(VmFlag::lo)) {
    entry.flags |= static_cast<uint64_t>(VmFlag::lf);
    entry.unknown_flags.clear();
  }
}

uint64_t parse_kib(LineParser& p) {
  uint64_t n = p.number();
  if (n > UINT64_MAX / 1024) p.fail("number out of range");
  p.field("kB");
  p.end();
  return n * 1024;
}

bool starts_entry(std::string_view line) {
  return !line.empty() && ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f'));
}

bool is_of_mapping(std::string_view line) {
  return line.starts_with("VmFlags:") || line.starts_with("KernelPageSize:") || line.starts_with("ProtectionKey:");
}

/// Takes one "Key: value" line; true when it was VmFlags, the last of an entry.
bool parse_detail(std::string_view line, SmapsEntry& entry) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) bad_line(kKind, line, "neither a range nor a field");
  std::string_view key = line.substr(0, colon);
  LineParser p(kKind, line, line.substr(colon + 1));
  if (key == "VmFlags") {
    parse_flags(p, entry);
    return true;
  }
  if (key == "ProtectionKey") {
    entry.protection_key = p.number<int>();
    return false;
  }
  for (const SizeField& f : kSizes) {
    if (key != f.key) continue;
    entry.*f.member = parse_kib(p);
    break;
  }
  return false;
}

}  // namespace

std::optional<VmFlag> vm_flag(std::string_view code) {
  for (size_t i = 0; i < std::size(kCodes); ++i)
    if (kCodes[i] == code) return static_cast<VmFlag>(1ULL << i);
  return std::nullopt;
}

std::string vm_flags_text(uint64_t flags) {
  std::string out;
  for (size_t i = 0; i < std::size(kCodes); ++i) {
    if ((flags & (1ULL << i)) == 0) continue;
    if (!out.empty()) out += ' ';
    out += kCodes[i];
  }
  return out;
}

std::vector<SmapsEntry> parse_smaps(std::string_view text, SmapsFields fields) {
  std::vector<SmapsEntry> entries;
  bool complete = true;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    if (starts_entry(*line)) {
      if (!complete) bad_line(kKind, *line, "the entry before has no VmFlags");
      MapsEntry vma = parse_maps_line(*line);
      if (!entries.empty() && vma.start < entries.back().vma.end) bad_line(kKind, *line, "overlaps the entry before");
      entries.emplace_back().vma = std::move(vma);
      complete = false;
      continue;
    }
    if (entries.empty()) bad_line(kKind, *line, "no range before this field");
    if (fields == SmapsFields::mapping && !is_of_mapping(*line)) continue;
    if (parse_detail(*line, entries.back())) complete = true;
  }
  if (!complete) missing(kKind, "VmFlags");
  return entries;
}

}  // namespace nsr::procfs
