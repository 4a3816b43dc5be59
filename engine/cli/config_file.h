// Configuration files: one option a line, long names without dashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nsr {

/// Pure. Turns the text of a configuration file into canonical options ("--name", "--name=value"), in order.
/// A value may be double quoted (with \" inside); # starts a comment; text behind the value is dropped. An option with
/// an optional value takes it only as name=value. Throws UsageError naming file and line.
std::vector<std::string> parse_config(std::string_view text, const std::string& file);

}  // namespace nsr
