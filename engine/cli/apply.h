// The effect of each single option.
#pragma once

#include <string>

#include "engine/cli/options.h"

namespace nsr {

/// name: long name without dashes and without "no-"; on: false for --no-NAME; value: empty when none was given.
/// Throws UsageError naming option and value.
void apply_option(const std::string& name, bool on, const std::string& value, Options& options);

}  // namespace nsr
