// Kernel features that `check` can ask for. Nothing is probed before it is asked.
#pragma once

#include <span>
#include <string>

namespace nsr {

/// must: a dump or restore of ordinary programs needs it; extra: some kinds of state need it; experimental: tried out.
enum class Need { must, extra, experimental };

struct Feature {
  const char* name;
  Need need;
  bool (*probe)();     ///< asks this kernel, leaves nothing behind; may throw Error(environment) when it cannot tell
  const char* remedy;  ///< what to change when the answer is no
};

std::span<const Feature> feature_table();
/// nullptr for an unknown name.
const Feature* find_feature(const std::string& name);

}  // namespace nsr
