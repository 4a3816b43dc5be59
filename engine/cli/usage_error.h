// A command line that cannot be understood.
#pragma once

#include <string>

#include "engine/base/error.h"

namespace nsr {

/// show_usage: whether the usage text belongs on stdout (as the peer does for unknown options and commands) or not
/// (most bad values).
class UsageError : public Error {
 public:
  UsageError(std::string object, std::string cause, std::string remedy = {}, bool show_usage = true)
      : Error(Failure::usage, std::move(object), std::move(cause), std::move(remedy)), show_usage_(show_usage) {}
  bool show_usage() const { return show_usage_; }

 private:
  bool show_usage_;
};

}  // namespace nsr
