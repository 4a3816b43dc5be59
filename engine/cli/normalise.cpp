#include "engine/cli/normalise.h"

#include <string_view>

#include "engine/cli/option_table.h"

namespace nsr {
namespace {

struct LongName {
  const OptionSpec* spec = nullptr;
  bool negated = false;
};

/// An exact name wins; otherwise a beginning that only one name (with its --no- form) has.
LongName resolve(std::string_view given) {
  LongName found;
  int matches = 0;
  for (const OptionSpec& o : option_table()) {
    for (bool negated : {false, true}) {
      if (negated && !o.negatable) continue;
      std::string name = std::string(negated ? "no-" : "") + o.name;
      if (name == given) return {&o, negated};
      if (o.help && name.starts_with(given)) {
        found = {&o, negated};
        ++matches;
      }
    }
  }
  if (matches == 0)
    throw UsageError("option --" + std::string(given), "is not known", "ns-engine -h lists all options");
  if (matches > 1)
    throw UsageError("option --" + std::string(given), "is the beginning of several options", "write it in full");
  return found;
}

class Walk {
 public:
  explicit Walk(const std::vector<std::string>& args) : args_(args) {}

  Normalised run() {
    while (at_ < args_.size()) {
      try {
        step();
      } catch (const UsageError& e) {
        if (!out_.error) {
          out_.error = e;
          out_.options_before_error = out_.options.size();
        }
      }
    }
    return std::move(out_);
  }

 private:
  void step() {
    const std::string& arg = args_[at_++];
    if (arg == "--") {
      out_.words.insert(out_.words.end(), args_.begin() + static_cast<ptrdiff_t>(at_), args_.end());
      at_ = args_.size();
    } else if (arg.starts_with("--")) {
      long_option(std::string_view(arg).substr(2));
    } else if (arg.size() > 1 && arg[0] == '-') {
      letters(std::string_view(arg).substr(1));
    } else {
      out_.words.push_back(arg);
    }
  }

  void long_option(std::string_view text) {
    size_t eq = text.find('=');
    LongName found = resolve(text.substr(0, eq));
    std::string name = std::string("--") + (found.negated ? "no-" : "") + found.spec->name;
    if (eq != text.npos) {
      if (found.spec->takes == Takes::nothing) throw UsageError("option " + name, "takes no value");
      add(name, std::string(text.substr(eq + 1)));
    } else if (found.spec->takes == Takes::value) {
      add(name, next_value(name));
    } else {
      out_.options.push_back(name);
    }
  }

  void letters(std::string_view text) {
    while (!text.empty()) {
      char letter = text[0];
      text.remove_prefix(1);
      const OptionSpec* spec = find_option(letter);
      if (!spec) throw UsageError(std::string("option -") + letter, "is not known", "ns-engine -h lists all options");
      std::string name = std::string("--") + spec->name;
      if (spec->takes == Takes::nothing || (spec->takes == Takes::optional_value && text.empty())) {
        out_.options.push_back(name);
        continue;
      }
      add(name, text.empty() ? next_value(std::string("-") + letter) : std::string(text));
      return;
    }
  }

  std::string next_value(const std::string& name) {
    if (at_ == args_.size()) throw UsageError("option " + name, "needs a value");
    return args_[at_++];
  }

  void add(const std::string& name, const std::string& value) {
    if (value.empty()) throw UsageError("option " + name, "needs a value that is not empty");
    out_.options.push_back(name + "=" + value);
  }

  const std::vector<std::string>& args_;
  size_t at_ = 0;
  Normalised out_;
};

}  // namespace

Normalised normalise(const std::vector<std::string>& args) { return Walk(args).run(); }

}  // namespace nsr
