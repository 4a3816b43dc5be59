#include "engine/procfs/auxv.h"

#include <elf.h>

#include <cstring>

#include "engine/procfs/error.h"

namespace nsr::procfs {

std::vector<AuxEntry> parse_auxv(std::string_view bytes) {
  std::vector<AuxEntry> entries;
  if (bytes.empty()) return entries;
  for (size_t at = 0; at + sizeof(AuxEntry) <= bytes.size(); at += sizeof(AuxEntry)) {
    AuxEntry entry;
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    if (entry.type == AT_NULL) return entries;
    entries.push_back(entry);
  }
  missing("auxv", "AT_NULL at the end");
}

std::optional<uint64_t> aux_value(const std::vector<AuxEntry>& auxv, uint64_t type) {
  for (const AuxEntry& entry : auxv)
    if (entry.type == type) return entry.value;
  return std::nullopt;
}

}  // namespace nsr::procfs
