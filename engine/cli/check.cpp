#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/cli/features.h"

namespace nsr {
namespace {

const Logger log("check");

/// One line for each feature that is not there. False when it is not.
bool has(const Feature& feature) {
  if (feature.probe()) return true;
  if (feature.need == Need::must)
    log.error("%s is not supported; %s", feature.name, feature.remedy);
  else
    log.warn("%s is not supported; %s", feature.name, feature.remedy);
  return false;
}

bool all_of_kind(Need need) {
  bool good = true;
  for (const Feature& feature : feature_table())
    if (feature.need == need) good = has(feature) && good;
  return good;
}

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

}  // namespace

int command_check(const Options& options) {
  if (!options.check.features.empty()) return check_named(options.check.features);
  if (!all_of_kind(Need::must)) {
    std::printf("Does not look good.\n");
    return 1;
  }
  bool good = true;
  if (options.check.extra) good = all_of_kind(Need::extra) && good;
  if (options.check.experimental) good = all_of_kind(Need::experimental) && good;
  if (good) {
    std::printf("Looks good.\n");
    return 0;
  }
  std::printf(
      "Looks good but some kernel features are missing\n"
      "Programs that do not use them can be dumped and restored.\n"
      "The log names each one and what to change.\n");
  return 1;
}

}  // namespace nsr
