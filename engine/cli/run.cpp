#include <sys/stat.h>

#include <cstdio>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/cli/option_table.h"
#include "engine/cli/parse.h"
#include "engine/cli/startup.h"

#ifndef NSR_VERSION
#error "NSR_VERSION comes from CMake"
#endif

namespace nsr {
namespace {

const Logger log("engine");

void print(FILE* where, const std::string& text) {
  std::fputs(text.c_str(), where);
  std::fflush(where);
}

/// The first line is the level of the peer that this command line follows; scripts parse it.
void show(ShowOnly what) {
  print(stdout, what == ShowOnly::help ? help_text() : std::string("Version: 4.2\nns-restore " NSR_VERSION "\n"));
}

int dispatch(const Options& options) {
  switch (options.command) {
    case Command::unlock:
      return command_unlock(options);
    case Command::dump:
      return command_dump(options);
    case Command::restore:
      return command_restore(options);
    case Command::cpuinfo:
      return command_cpuinfo(options);
    case Command::check:
      return command_check(options);
    default:
      throw Error(Failure::not_built, std::string("command ") + command_name(options.command), "is not built yet");
  }
}

/// An error is told once: in the log, and on stderr as the last line when that is not where the log goes.
int report(Failure code, const std::string& sentence, bool log_is_open, bool log_is_stderr) {
  if (log_is_open) log.error("%s", sentence.c_str());
  bool seen = log_is_open && log_is_stderr && log_level() >= LogLevel::error;
  if (!seen) print(stderr, "ns-engine: " + sentence + "\n");
  return static_cast<int>(code);
}

}  // namespace

int run_engine(const std::vector<std::string>& args) {
  bool log_is_open = false;
  bool log_is_stderr = false;
  try {
    auto parsed = parse_options(args, real_surroundings());
    if (auto only = std::get_if<ShowOnly>(&parsed)) {
      show(*only);
      return 0;
    }
    Options& options = std::get<Options>(parsed);
    if (options.command != Command::check || options.target.tree) check_privilege(options);
    prepare_directories(options);
    log_is_open = true;
    log_is_stderr = options.common.log_file.empty();
    return dispatch(options);
  } catch (const UsageError& e) {
    if (e.show_usage()) print(stdout, usage_text());
    return report(e.code(), e.what(), log_is_open, log_is_stderr);
  } catch (const Error& e) {
    return report(e.code(), e.what(), log_is_open, log_is_stderr);
  } catch (const std::exception& e) {
    return report(Failure::internal, std::string("unexpected: ") + e.what(), log_is_open, log_is_stderr);
  }
}

}  // namespace nsr
