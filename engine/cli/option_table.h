// Every option of the command line: spelling, argument, the commands that it matters to, one line of help.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace nsr {

enum class Takes { nothing, value, optional_value };

struct OptionSpec {
  const char* name;  ///< long name without dashes; also the key in configuration files
  char letter;       ///< short form, or 0
  Takes takes;
  bool negatable;     ///< --no-NAME exists; the later one wins
  const char* group;  ///< heading in the help text
  const char* metavar;
  const char* help;  ///< nullptr: hidden
};

/// In the order of the help text.
std::span<const OptionSpec> option_table();
const OptionSpec* find_option(std::string_view name);
const OptionSpec* find_option(char letter);

/// The text of --help (complete) and of a usage error (short).
std::string help_text();
std::string usage_text();

}  // namespace nsr
