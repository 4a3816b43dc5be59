// From argv, configuration files and environment to Options.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/cli/options.h"
#include "engine/cli/usage_error.h"

namespace nsr {

/// Where settings come from besides the command line; tests hand in their own.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)> variable;  ///< environment
  std::function<std::optional<std::string>(const std::string& path)> file;      ///< whole text; nothing = not there
};
Surroundings real_surroundings();

enum class ShowOnly { help, version };

/// Pure but for `around`. args: without the program's name. Later sources override earlier ones:
/// /etc/criu/default.conf, $HOME/.criu/default.conf (both skipped with --config or --no-default-config),
/// $CRIU_CONFIG_FILE, --config, args.
/// --help anywhere in args wins over every slip; --version acts when it is reached.
/// Throws UsageError; throws Error(not_built) for a command or option whose function does not exist yet.
std::variant<Options, ShowOnly> parse_options(const std::vector<std::string>& args, const Surroundings& around);

/// Applies one list of canonical options ("--name[=value]") on top of what is there (config_file of the RPC protocol).
void apply_options(const std::vector<std::string>& canonical, Options& options);

/// Cross checks between options and command; throws UsageError or Error(not_built).
void check_combination(const Options& options);
/// Throws Error(not_built) naming the command or the first option of `options.given` that cannot be served yet.
void refuse_not_built(const Options& options);

}  // namespace nsr
