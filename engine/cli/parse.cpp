#include "engine/cli/parse.h"

#include <boost/program_options.hpp>
#include <cstdlib>

#include "engine/base/file_io.h"
#include "engine/cli/apply.h"
#include "engine/cli/config_file.h"
#include "engine/cli/normalise.h"
#include "engine/cli/option_table.h"

namespace nsr {
namespace {

namespace po = boost::program_options;

/// The option table for Boost; every value stays text here, apply_option() knows the types.
po::options_description describe_options() {
  po::options_description all;
  for (const OptionSpec& o : option_table()) {
    if (o.takes == Takes::nothing) all.add_options()(o.name, o.name);
    if (o.takes == Takes::value) all.add_options()(o.name, po::value<std::string>(), o.name);
    if (o.takes == Takes::optional_value)
      all.add_options()(o.name, po::value<std::string>()->implicit_value(""), o.name);
    if (o.negatable) all.add_options()((std::string("no-") + o.name).c_str(), o.name);
  }
  return all;
}

std::vector<std::string> read_config(const std::string& path, const Surroundings& around) {
  auto text = around.file(path);
  return text ? parse_config(*text, path) : std::vector<std::string>{};
}

/// Options of all configuration files that count, in the order in which they are applied.
std::vector<std::string> configured(const std::vector<std::string>& command_line, const Surroundings& around) {
  std::vector<std::string> extra;
  bool defaults = true;
  for (const std::string& option : command_line) {
    if (option == "--no-default-config") defaults = false;
    if (option.starts_with("--config=")) {
      extra.push_back(option.substr(9));
      defaults = false;
    }
  }
  std::vector<std::string> files;
  if (defaults) {
    files.push_back("/etc/criu/default.conf");
    if (auto home = around.variable("HOME")) files.push_back(*home + "/.criu/default.conf");
  }
  if (auto named = around.variable("CRIU_CONFIG_FILE")) files.push_back(*named);
  if (!extra.empty()) files.push_back(extra.back());
  std::vector<std::string> options;
  for (const std::string& file : files)
    for (std::string& option : read_config(file, around)) options.push_back(std::move(option));
  return options;
}

std::optional<ShowOnly> first_show_only(const std::vector<std::string>& options) {
  for (const std::string& option : options) {
    if (option == "--help") return ShowOnly::help;
    if (option == "--version") return ShowOnly::version;
  }
  return std::nullopt;
}

bool has_help(const std::vector<std::string>& options) {
  for (const std::string& option : options)
    if (option == "--help") return true;
  return false;
}

Command command_of(const std::string& word) {
  for (Command c :
       {Command::dump, Command::pre_dump, Command::restore, Command::lazy_pages, Command::check, Command::page_server,
        Command::service, Command::swrk, Command::dedup, Command::cpuinfo, Command::unlock})
    if (word == command_name(c)) return c;
  if (word == "exec" || word == "show")
    throw UsageError("command " + word, "no longer exists", word == "show" ? "use crit show FILE" : "", false);
  throw UsageError("command " + word, "is not known", "ns-engine -h lists all commands");
}

void check_word_count(const Options& o) {
  size_t wanted = o.command == Command::swrk || o.command == Command::cpuinfo ? 1 : 0;
  bool command_line_follows = o.command == Command::restore && o.restore.exec_cmd;
  if (command_line_follows) {
    if (o.arguments.empty()) throw UsageError("option --exec-cmd", "needs a command behind --", {}, false);
    return;
  }
  if (o.arguments.size() > wanted)
    throw UsageError(
        "excessive parameter " + o.arguments[wanted],
        std::string("command ") + command_name(o.command) + (wanted ? " takes one argument" : " takes no arguments"));
  if (o.arguments.size() < wanted)
    throw UsageError(std::string("command ") + command_name(o.command), "needs an argument",
                     o.command == Command::swrk ? "give the number of a socket" : "give dump or check");
  if (o.command == Command::cpuinfo && o.arguments[0] != "dump" && o.arguments[0] != "check")
    throw UsageError("cpuinfo " + o.arguments[0], "is not known", "give dump or check");
}

}  // namespace

Surroundings real_surroundings() {
  return {[](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value ? std::optional<std::string>(value) : std::nullopt;
          },
          [](const std::string& path) { return read_file(path); }};
}

void apply_options(const std::vector<std::string>& canonical, Options& options) {
  static const po::options_description known = describe_options();
  po::parsed_options parsed(&known);
  try {
    namespace style = po::command_line_style;
    parsed =
        po::command_line_parser(canonical).options(known).style(style::allow_long | style::long_allow_adjacent).run();
  } catch (const po::error& e) {
    throw UsageError("", e.what());
  }
  for (const po::option& o : parsed.options) {
    if (o.string_key.empty()) throw UsageError("word " + (o.value.empty() ? "" : o.value[0]), "is out of place");
    const OptionSpec* spec = find_option(o.string_key);
    apply_option(spec ? o.string_key : o.string_key.substr(3), spec != nullptr, o.value.empty() ? "" : o.value[0],
                 options);
  }
  options.given.insert(options.given.end(), canonical.begin(), canonical.end());
}

std::variant<Options, ShowOnly> parse_options(const std::vector<std::string>& args, const Surroundings& around) {
  Normalised line = normalise(args);
  if (has_help(line.options)) return ShowOnly::help;
  if (line.error) line.options.resize(line.options_before_error);

  Options options;
  if (around.variable("CRIU_DEPRECATED")) options.run.deprecated = true;
  if (auto dir = around.variable("CRIU_LIBS_DIR")) options.run.libdir = *dir;
  std::vector<std::string> config = configured(line.options, around);
  if (auto show = first_show_only(config)) return *show;
  apply_options(config, options);
  if (auto show = first_show_only(line.options)) return *show;
  apply_options(line.options, options);
  if (line.error) throw *line.error;

  if (line.words.empty()) throw UsageError("", "no command was given", "try ns-engine dump, restore or check");
  options.command = command_of(line.words[0]);
  options.arguments.assign(line.words.begin() + 1, line.words.end());
  check_word_count(options);
  check_combination(options);
  refuse_not_built(options);
  return options;
}

}  // namespace nsr
