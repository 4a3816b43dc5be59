#include "engine/cli/config_file.h"

#include <algorithm>
#include <optional>

#include "engine/base/scanner.h"
#include "engine/cli/option_table.h"
#include "engine/cli/usage_error.h"

namespace nsr {
namespace {

constexpr std::string_view blank = " \t\r";

/// Text behind the opening quote up to the closing one; nothing when it is not closed.
std::optional<std::string> quoted(std::string_view text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return value;
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') ++i;
    value += text[i];
  }
  return std::nullopt;
}

std::optional<std::string> parse_line(std::string_view line, const std::string& where) {
  size_t start = line.find_first_not_of(blank);
  if (start == line.npos || line[start] == '#') return std::nullopt;
  line.remove_prefix(start);

  size_t end = std::min(line.find_first_of(" \t\r=#"), line.size());
  std::string name(line.substr(0, end));
  line.remove_prefix(end);
  bool equals = line.starts_with("=");
  if (equals) line.remove_prefix(1);
  line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));

  bool negated = false;
  const OptionSpec* spec = find_option(name);
  if (!spec && name.starts_with("no-")) {
    spec = find_option(std::string_view(name).substr(3));
    negated = spec && spec->negatable;
    if (!negated) spec = nullptr;
  }
  if (!spec) throw UsageError(where, "option " + name + " is not known", "ns-engine -h lists all options");

  std::string value;
  if (line.starts_with("\"")) {
    auto text = quoted(line.substr(1));
    if (!text) throw UsageError(where, "the quote is not closed", {}, false);
    value = *text;
  } else {
    value = line.substr(0, line.find_first_of(" \t\r#"));
  }
  if (spec->takes == Takes::nothing) {
    if (equals) throw UsageError(where, "option " + name + " takes no value");
    return "--" + name;
  }
  if (spec->takes == Takes::optional_value && !equals) return "--" + name;
  if (value.empty()) throw UsageError(where, "option " + name + " needs a value");
  return "--" + name + "=" + value;
}

}  // namespace

std::vector<std::string> parse_config(std::string_view text, const std::string& file) {
  std::vector<std::string> options;
  Scanner scan(text);
  int number = 0;
  while (auto line = scan.line())
    if (auto option = parse_line(*line, file + " line " + std::to_string(++number))) options.push_back(*option);
  return options;
}

}  // namespace nsr
