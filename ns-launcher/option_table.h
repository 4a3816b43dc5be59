// The options of `restore`, as far as ns-restore must know them: which word is an option and which is a value.
#pragma once

#include <string_view>

namespace nsr::launcher {

enum class Argument { none, required, optional };

/// What ns-restore does with an option. Everything it does not take is handed to the engine in the words it was given.
enum class Meaning {
  pass,         ///< the engine's alone
  images_dir,   ///< read here, passed too
  work_dir,     ///< read here, passed too
  shell_job,    ///< read here, passed too
  plan,         ///< read here, passed too
  detached,     ///< taken
  pidfile,      ///< taken
  ns_pidfile,   ///< taken
  propagation,  ///< taken
  engine,       ///< taken
  help,         ///< taken
  version,      ///< taken
};

constexpr bool is_taken(Meaning meaning) { return meaning >= Meaning::detached; }

struct OptionRule {
  std::string_view name;
  char letter;  ///< 0: there is no short form
  Argument argument;
  bool negatable;  ///< --no-NAME exists too
  Meaning meaning;
};

/// A long option found by its name or a unique prefix of it.
struct Match {
  const OptionRule* rule = nullptr;  ///< null: unknown, or the prefix fits several
  bool negated = false;
};

Match find_long(std::string_view name);
const OptionRule* find_short(char letter);

}  // namespace nsr::launcher
