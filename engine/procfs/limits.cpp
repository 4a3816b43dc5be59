#include "engine/procfs/limits.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "limits";

/// Names in the order of RLIMIT_*.
constexpr std::string_view kNames[] = {
    "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
    "Max core file size", "Max resident set",  "Max processes",         "Max open files",
    "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
    "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout"};
static_assert(std::size(kNames) == std::tuple_size_v<Limits>);

rlim_t parse_limit(LineParser& p) {
  p.at_end();
  if (p.accept("unlimited")) return RLIM_INFINITY;
  return p.number<rlim_t>();
}

}  // namespace

Limits parse_limits(std::string_view text) {
  Limits limits{};
  unsigned seen = 0;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (!line->starts_with(kNames[i])) continue;
      LineParser p(kKind, *line, line->substr(kNames[i].size()));
      if (p.rest().empty() || p.rest()[0] != ' ') p.fail("unknown limit");
      limits[i].rlim_cur = parse_limit(p);
      limits[i].rlim_max = parse_limit(p);
      seen |= 1U << i;
      break;
    }
  }
  for (size_t i = 0; i < std::size(kNames); ++i)
    if ((seen & (1U << i)) == 0) missing(kKind, kNames[i].data());
  return limits;
}

}  // namespace nsr::procfs
