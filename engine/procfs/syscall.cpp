#include "engine/procfs/syscall.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {

std::optional<CurrentCall> parse_current_call(std::string_view text) {
  constexpr const char* kKind = "syscall";
  if (!text.ends_with('\n')) bad_line(kKind, text, "cut off");
  const std::string_view line = text.substr(0, text.size() - 1);
  if (line == "running") return std::nullopt;
  LineParser p(kKind, line);
  CurrentCall call;
  call.nr = p.number<long>();
  if (call.nr >= 0)
    for (uint64_t& arg : call.arg) arg = p.prefixed_hex();
  call.sp = p.prefixed_hex();
  call.ip = p.prefixed_hex();
  p.end();
  return call;
}

}  // namespace nsr::procfs
