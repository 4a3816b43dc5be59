// What the command line knows and the engine cannot do yet. The two tables only shrink: build a function, drop its row.
#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "engine/cli/parse.h"

namespace nsr {
namespace {

constexpr Command commands_not_built[] = {Command::pre_dump, Command::lazy_pages, Command::page_server,
                                          Command::service,  Command::swrk,       Command::dedup};

struct Row {
  const char* option;
  const char* commands;  ///< D dump, R restore, C check: where the option matters
};

constexpr Row options_not_built[] = {
    {"log-pid", "R"},         {"libdir", "DR"},     {"stream", "DR"},        {"track-mem", "D"},
    {"prev-images-dir", "D"}, {"auto-dedup", "DR"}, {"page-server", "D"},    {"ps-socket", "D"},
    {"lazy-pages", "DR"},     {"tls", "D"},         {"allow-uprobes", "DR"}, {"unprivileged", "DR"},
};

char letter_of(Command command) {
  switch (command) {
    case Command::dump:
      return 'D';
    case Command::restore:
      return 'R';
    case Command::check:
      return 'C';
    default:
      return '-';
  }
}

}  // namespace

void refuse_not_built(const Options& options) {
  std::string command = command_name(options.command);
  if (std::ranges::find(commands_not_built, options.command) != std::end(commands_not_built))
    throw Error(Failure::not_built, "command " + command, "is not built yet");
  for (const Row& row : options_not_built) {
    if (std::string(row.commands).find(letter_of(options.command)) == std::string::npos) continue;
    std::string name = std::string("--") + row.option;
    bool asked = false;  // the last one counts: --no-NAME takes it back
    for (const std::string& given : options.given) {
      if (given == name) asked = true;
      if (given == std::string("--no-") + row.option) asked = false;
      if (given.starts_with(name + "=")) asked = true;
    }
    if (asked) throw Error(Failure::not_built, "option " + name, "is not built yet for " + command, "leave it out");
  }
}

}  // namespace nsr
