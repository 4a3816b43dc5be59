#include "ns-launcher/options.h"

#include <optional>

#include "engine/base/error.h"
#include "ns-launcher/option_table.h"

namespace nsr::launcher {
namespace {

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) : words_(words) {}

  Options parse() {
    while (next_ < words_.size() && !options_.version) {
      const std::string& word = words_[next_++];
      if (word == "--") {
        pass(word);
        while (next_ < words_.size()) pass(words_[next_++]);
      } else if (word.size() > 2 && word.compare(0, 2, "--") == 0) {
        long_option(word);
      } else if (word.size() > 1 && word[0] == '-') {
        short_options(word);
      } else {
        command(word);
      }
    }
    // As with the engine, help wins wherever it stands.
    for (; next_ < words_.size() && words_[next_] != "--"; ++next_)
      if (words_[next_] == "-h" || words_[next_] == "--help") options_.help = true;
    return std::move(options_);
  }

 private:
  void pass(const std::string& word) { options_.engine_arguments.push_back(word); }

  void command(const std::string& word) {
    if (seen_command_) return pass(word);  // too much, or the command behind --exec-cmd: the engine knows
    if (word != "restore")
      throw Error(Failure::usage, "command " + word, "ns-restore can only restore", "use ns-engine " + word);
    seen_command_ = true;
  }

  void long_option(const std::string& word) {
    size_t equals = word.find('=');
    Match match = find_long(std::string_view(word).substr(2, equals == std::string::npos ? equals : equals - 2));
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    if (!match.rule) return pass(word);  // the engine says what is wrong with it
    bool separate = match.rule->argument == Argument::required && !match.negated && !value;
    if (separate && next_ < words_.size()) value = words_[next_++];
    if (is_taken(match.rule->meaning)) {
      if (match.rule->argument == Argument::required && !value)
        throw Error(Failure::usage, "option --" + std::string(match.rule->name), "needs an argument");
      if (match.rule->argument == Argument::none && value)
        throw Error(Failure::usage, "option --" + std::string(match.rule->name), "takes no argument");
    } else {
      pass(word);
      if (separate && value) pass(*value);
    }
    apply(*match.rule, value.value_or(""), !match.negated);
  }

  /// A bundle like -dvD DIR: letters of ours leave it, the rest is passed as it was.
  void short_options(const std::string& word) {
    std::string rest = "-";
    std::optional<std::string> separate;
    for (size_t i = 1; i < word.size(); ++i) {
      const OptionRule* rule = find_short(word[i]);
      Argument argument = rule ? rule->argument : Argument::none;
      if (!rule || !is_taken(rule->meaning)) rest += word[i];
      std::string value;
      if (argument != Argument::none) {
        value = word.substr(i + 1);
        rest += value;
        if (argument == Argument::required && value.empty() && next_ < words_.size())
          separate = value = words_[next_++];
        i = word.size();
      }
      if (rule) apply(*rule, value, true);
    }
    if (rest.size() > 1) pass(rest);
    if (separate) pass(*separate);
  }

  void apply(const OptionRule& rule, const std::string& value, bool on) {
    switch (rule.meaning) {
      case Meaning::pass:
        break;
      case Meaning::images_dir:
        options_.images_dir = value;
        break;
      case Meaning::work_dir:
        options_.work_dir = value;
        break;
      case Meaning::shell_job:
        options_.shell_job = on;
        break;
      case Meaning::plan:
        options_.plan = true;
        break;
      case Meaning::detached:
        options_.detached = on;
        break;
      case Meaning::pidfile:
        options_.pidfile = value;
        break;
      case Meaning::ns_pidfile:
        options_.ns_pidfile = value;
        break;
      case Meaning::engine:
        options_.engine = value;
        break;
      case Meaning::help:
        options_.help = true;
        break;
      case Meaning::version:
        options_.version = true;
        break;
      case Meaning::propagation:
        set_propagation(value);
        break;
    }
  }

  void set_propagation(const std::string& value) {
    if (value == "slave") {
      options_.propagation = Propagation::slave;
    } else if (value == "private") {
      options_.propagation = Propagation::private_;
    } else {
      throw Error(Failure::usage, "option --propagation " + value, "there is no such propagation",
                  "say slave or private");
    }
  }

  const std::vector<std::string>& words_;
  size_t next_ = 0;
  bool seen_command_ = false;
  Options options_;
};

}  // namespace

Options parse_options(const std::vector<std::string>& words) { return Parser(words).parse(); }

const char* const help_text =
    R"(ns-restore brings a dumped process tree back inside fresh pid and mount namespaces, where all its ids are free.

Usage: ns-restore [restore] -D DIR [options]

  -D, --images-dir DIR       the directory of the images (default: the current one)
  -W, --work-dir DIR         where log, pid files and statistics go (default: the images directory)
  -d, --restore-detached     return 0 as soon as the tree runs, instead of waiting for its end
  -j, --shell-job            the tree uses this terminal: it gets it while it runs
      --pidfile FILE         write the root's pid as it is seen from here
      --ns-pidfile FILE      write the root's pid as it is inside
      --propagation KIND     slave (default): mounts made later outside are seen inside; private: they are not
      --engine PATH          the engine to run (default: ns-engine beside this program, else by PATH)
      --plan                 print the steps of the restore, do nothing
  -h, --help                 this text
  -V, --version              the version

All other options go to the engine as they are; `ns-engine --help` explains them.

Without -d the exit status is that of the tree's root; if it died by a signal, so does ns-restore (a shell shows 128 +
signal). A failed restore says why in one sentence on stderr and exits with: 1 usage, 2 unsupported state, 3 target,
4 images, 5 environment, 6 input or output, 7 timeout, 8 script, 9 option not built yet, 10 internal error.
)";

}  // namespace nsr::launcher
