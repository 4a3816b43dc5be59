#include "pidns/ns_pid.h"

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"

namespace nsr {

std::optional<NsPidChain> parse_ns_ids(std::string_view status_text, std::string_view key) {
  Scanner text(status_text);
  while (auto line = text.line()) {
    Scanner in(*line);
    if (!in.literal(key)) continue;
    NsPidChain chain;
    while (!in.blanks().done()) {
      auto id = in.number();
      if (!id || *id > INT32_MAX) return std::nullopt;
      chain.ids.push_back(static_cast<int32_t>(*id));
    }
    if (chain.ids.empty()) return std::nullopt;
    return chain;
  }
  return std::nullopt;
}

std::optional<NsPidChain> parse_nspid(std::string_view status_text) { return parse_ns_ids(status_text, "NSpid:"); }

std::optional<NsPidChain> ns_pid_chain(HostPid pid) {
  auto text = read_file(format("/proc/%d/status", pid.value));
  if (!text) return std::nullopt;
  return parse_nspid(*text);
}

}  // namespace nsr
