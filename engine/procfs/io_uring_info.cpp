#include "engine/procfs/io_uring_info.h"

#include <algorithm>

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "fdinfo of an io_uring";
constexpr std::string_view kNone = "<none>";
constexpr size_t kMostSlots = 1 << 20;

/// Lines below a heading are indented.
enum class Section { none, files, buffers, personalities, polls, overflow };

Section section_of(std::string_view key) {
  if (key == "UserFiles") return Section::files;
  if (key == "UserBufs") return Section::buffers;
  if (key == "Personalities") return Section::personalities;
  if (key == "PollList") return Section::polls;
  if (key == "CqOverflowList") return Section::overflow;
  return Section::none;
}

uint32_t* number_of(RingInfo& info, std::string_view key) {
  if (key == "SqMask") return &info.sq_mask;
  if (key == "SqHead") return &info.sq_head;
  if (key == "SqTail") return &info.sq_tail;
  if (key == "CachedSqHead") return &info.cached_sq_head;
  if (key == "CqMask") return &info.cq_mask;
  if (key == "CqHead") return &info.cq_head;
  if (key == "CqTail") return &info.cq_tail;
  if (key == "CachedCqTail") return &info.cached_cq_tail;
  return nullptr;
}

/// "    7: VALUE"
void parse_slot(LineParser& p, Section section, RingInfo& info) {
  auto slot = p.number<uint32_t>();
  p.expect(":");
  std::string_view value = p.scan().blanks().rest();
  if (section == Section::files) {
    if (slot >= info.files.size()) p.fail("slot beyond the table");
    if (value != kNone) info.files[slot] = std::string(value);
    return;
  }
  if (slot >= info.buffers.size()) p.fail("slot beyond the table");
  if (value == kNone) return;
  LineParser buffer(kKind, value);
  uint64_t address = buffer.prefixed_hex();
  buffer.expect("/");
  info.buffers[slot] = {address, buffer.number()};
}

}  // namespace

std::optional<RingInfo> parse_ring(std::string_view text) {
  RingInfo info;
  Section section = Section::none;
  int positions = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    bool indented = line.starts_with(' ');
    LineParser p(kKind, line);
    if (indented && (section == Section::files || section == Section::buffers)) {
      parse_slot(p, section, info);
    } else if (indented) {
      info.personalities |= section == Section::personalities;
      info.polls |= section == Section::polls;
      info.overflow |= section == Section::overflow;
    } else {
      std::string_view key = line.substr(0, line.find(':'));
      if (key.size() == line.size()) continue;
      section = section_of(key);
      LineParser value(kKind, line, line.substr(key.size() + 1));
      if (uint32_t* number = number_of(info, key)) {
        *number = key.ends_with("Mask") ? value.prefixed_hex<uint32_t>() : value.number<uint32_t>();
        positions++;
      } else if (key == "SqThread") {
        info.sq_thread = value.number<int32_t>();
      } else if (section == Section::files || section == Section::buffers) {
        auto n = value.number<uint32_t>();
        if (n > kMostSlots) value.fail("impossible number of slots");
        (section == Section::files ? info.files.resize(n) : info.buffers.resize(n));
      }
    }
  }
  if (positions != 8) return std::nullopt;
  return info;
}

}  // namespace nsr::procfs
