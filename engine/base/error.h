// The one exception type of the project, and the exit codes it maps to.
#pragma once

#include <stdexcept>
#include <string>

namespace nsr {

/// Class of a failure. The value is the exit code of the program and is stable (README.md lists them).
/// Scripts written for the peer only test for zero; the distinct values are for people.
enum class Failure : int {
  usage = 1,        ///< the command line cannot be understood
  unsupported = 2,  ///< the target has state that cannot be kept
  target = 3,       ///< the target does not exist, is ours, or may not be traced
  image = 4,        ///< the images are missing, incomplete, damaged or contradict themselves
  environment = 5,  ///< this host lacks something: privilege, kernel feature, file, free id
  io = 6,           ///< reading or writing images failed (disk full, permission)
  timeout = 7,      ///< the target could not be frozen in time
  script = 8,       ///< an action script or RPC client said no
  not_built = 9,    ///< a known option whose function is not built yet
  internal = 10,    ///< a broken invariant: a bug of ours
};

/// What went wrong, with which object, why, and what to do: one sentence for a person.
/// object: "pid 4711 fd 7 socket:[88]"; cause: "bound to a device"; remedy: "use --external ..." (may be empty).
class Error : public std::runtime_error {
 public:
  Error(Failure code, std::string object, std::string cause, std::string remedy = {})
      : std::runtime_error(sentence(object, cause, remedy)),
        code_(code),
        object_(std::move(object)),
        cause_(std::move(cause)),
        remedy_(std::move(remedy)) {}

  Failure code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }
  const std::string& object() const { return object_; }
  const std::string& cause() const { return cause_; }
  const std::string& remedy() const { return remedy_; }

 private:
  static std::string sentence(const std::string& object, const std::string& cause, const std::string& remedy);

  Failure code_;
  std::string object_, cause_, remedy_;
};

/// Throws an Error whose cause is `what` followed by the text of errno value `err`.
[[noreturn]] void throw_errno(Failure code, std::string object, const std::string& what, int err,
                              std::string remedy = {});

/// snprintf into a string.
std::string format(const char* fmt, ...) __attribute__((format(printf, 1, 2)));

}  // namespace nsr
