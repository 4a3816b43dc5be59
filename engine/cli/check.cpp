#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/cli/features.h"
#include "engine/cli/startup.h"
#include "engine/descriptors/kind.h"
#include "engine/dump/dump.h"

namespace nsr {
namespace {

const Logger log("check");

/// One line of the log for each feature. False when it is not there.
bool has(const Feature& feature) {
  if (feature.probe()) {
    log.info("%s is supported", feature.name);
    return true;
  }
  if (feature.need == Need::must)
    log.error("%s is not supported; %s", feature.name, feature.remedy);
  else
    log.warn("%s is not supported; %s", feature.name, feature.remedy);
  return false;
}

/// What was asked of the table, and the answers: a line each.
struct Answers {
  bool must = true, all = true;
  std::string lines;

  void ask(Need need) {
    for (const Feature& feature : feature_table()) {
      if (feature.need != need) continue;
      bool there = has(feature);
      lines += format(there ? "%s: yes\n" : "%s: no; %s\n", feature.name, feature.remedy);
      all = all && there;
      if (need == Need::must) must = must && there;
    }
  }
};

/// Every named feature must be there; the last one is what is said on stdout.
int check_named(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (!find_feature(name))
      throw Error(Failure::usage, "feature " + name, "is not known", "the manual page lists the names");
  bool all = true, last = true;
  for (const std::string& name : names) {
    last = has(*find_feature(name));
    all = all && last;
  }
  std::printf("%s is %ssupported\n", names.back().c_str(), last ? "" : "not ");
  return all ? 0 : 1;
}

/// A directory that goes with its contents.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    if (!::mkdtemp(path_.data())) throw_errno(Failure::io, path_, "it cannot be made", errno, "make room in /tmp");
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/ns-engine-check-XXXXXX";
};

/// One line on stdout for each reason not to dump this tree now.
int check_tree(const Options& options) {
  DumpOptions dump = dump_options(options);
  if (auto status = stand_in_for(dump)) return *status;
  ScratchDirectory scratch;
  dump.images_dir = scratch.path();
  dump.final_state = FinalState::run;
  std::vector<Error> refusals = survey_dump(dump, make_kinds());
  for (const Error& e : refusals) std::printf("%s\n", e.what());
  if (!refusals.empty()) return refusals[0].exit_code();
  std::printf("Looks good: pid %d can be dumped with these options.\n", dump.root_pid.value);
  return 0;
}

}  // namespace

int command_check(const Options& options) {
  if (options.target.tree) return check_tree(options);
  if (!options.check.features.empty()) {
    check_privilege(options);
    return check_named(options.check.features);
  }
  const bool more = options.check.extra || options.check.experimental;
  Answers answers;
  answers.ask(Need::must);
  if (options.check.extra) answers.ask(Need::extra);
  if (options.check.experimental) answers.ask(Need::experimental);
  if (answers.all)
    std::printf("Looks good.\n");
  else if (!answers.must)
    std::printf("Does not look good.\n");
  else
    std::printf(
        "Looks good but some kernel features are missing\n"
        "Programs that do not use them can be dumped and restored.\n"
        "What to change stands behind each name.\n");
  if (more) std::fputs(answers.lines.c_str(), stdout);
  check_privilege(options);  // after all else that this user lacks
  return answers.all ? 0 : 1;
}

}  // namespace nsr
