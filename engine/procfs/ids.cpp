#include "engine/procfs/ids.h"

#include <ctime>

#include "engine/procfs/lines.h"

namespace nsr::procfs {

std::vector<int32_t> parse_children(std::string_view text) {
  constexpr const char* kKind = "children";
  if (!text.empty() && !text.ends_with(' ') && !text.ends_with('\n')) bad_line(kKind, text, "cut off");
  std::vector<int32_t> pids;
  LineParser p(kKind, text);
  while (!p.at_end() && p.rest() != "\n") pids.push_back(p.number<int32_t>());
  return pids;
}

std::vector<IdMapping> parse_id_map(std::string_view text) {
  constexpr const char* kKind = "id map";
  std::vector<IdMapping> maps;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    LineParser p(kKind, *line);
    IdMapping m;
    m.inner = p.number<uint32_t>();
    m.outer = p.number<uint32_t>();
    m.count = p.number<uint32_t>();
    p.end();
    maps.push_back(m);
  }
  return maps;
}

std::vector<TimensOffset> parse_timens_offsets(std::string_view text) {
  constexpr const char* kKind = "timens_offsets";
  std::vector<TimensOffset> offsets;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    LineParser p(kKind, *line);
    std::string_view clock = p.word();
    TimensOffset o;
    if (clock == "monotonic")
      o.clock_id = CLOCK_MONOTONIC;
    else if (clock == "boottime")
      o.clock_id = CLOCK_BOOTTIME;
    else
      o.clock_id = LineParser(kKind, *line).number<int>();
    o.sec = p.number<int64_t>();
    o.nsec = p.number<int64_t>();
    p.end();
    offsets.push_back(o);
  }
  return offsets;
}

std::vector<int64_t> parse_numbers(const char* kind, std::string_view text) {
  if (!text.ends_with('\n')) bad_line(kind, text, "cut off");
  std::vector<int64_t> numbers;
  LineParser p(kind, text.substr(0, text.size() - 1));
  while (!p.at_end()) numbers.push_back(p.number<int64_t>());
  return numbers;
}

int64_t parse_number(const char* kind, std::string_view text) {
  std::vector<int64_t> numbers = parse_numbers(kind, text);
  if (numbers.size() != 1) bad_line(kind, text, "not exactly one number");
  return numbers[0];
}

}  // namespace nsr::procfs
