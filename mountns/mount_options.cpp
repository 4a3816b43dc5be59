#include "mountns/mount_options.h"

#include <algorithm>

namespace nsr {
namespace {

/// Length of the first option: commas between quotes belong to it.
size_t first_option(std::string_view text) {
  bool quoted = false;
  for (size_t at = 0; at < text.size(); at++) {
    if (text[at] == '"') quoted = !quoted;
    if (text[at] == ',' && !quoted) return at;
  }
  return text.size();
}

std::string_view without_quotes(std::string_view value) {
  bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

std::vector<MountOption> parse_mount_options(std::string_view text, const std::string& context) {
  std::vector<MountOption> out;
  while (!text.empty()) {
    size_t length = first_option(text);
    std::string_view word = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    size_t equals = word.find('=');
    if (word.empty()) continue;
    MountOption option{std::string(word.substr(0, equals)), std::nullopt};
    if (equals != std::string_view::npos) option.value = without_quotes(word.substr(equals + 1));
    if (option.key == "context" && option.value && !context.empty()) option.value = context;
    out.push_back(std::move(option));
  }
  return out;
}

}  // namespace nsr
