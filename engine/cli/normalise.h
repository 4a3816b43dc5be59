// Brings a command line of getopt_long style into one canonical spelling, before Boost.Program_options sees it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/cli/usage_error.h"

namespace nsr {

/// A command line with every option spelled "--name", "--name=value" or "--no-name", in the order given.
struct Normalised {
  std::vector<std::string> options;
  std::vector<std::string> words;   ///< the command and its arguments; all that stands behind "--"
  std::optional<UsageError> error;  ///< the first slip; options before it are in the list, so is a later --help
  size_t options_before_error = 0;  ///< how many of `options` stood before the slip
};

/// Pure. Understands permutation, unique prefixes of long options, bundled letters (-jv4), attached and separate
/// values, and optional values only as --name=value or -nVALUE. args: without the program's name.
Normalised normalise(const std::vector<std::string>& args);

}  // namespace nsr
