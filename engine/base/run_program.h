// Another program run to its end.
#pragma once

#include <string>
#include <vector>

namespace nsr {

struct ProgramResult {
  int status = 0;      ///< exit status; 128 + signal when it was killed
  std::string errors;  ///< what it wrote to stderr
};

/// Finds argv[0] on PATH, gives it `input` as stdin, /dev/null as stdout, and waits. `extra_fd`, when not negative, is
/// its descriptor 3; nothing else of ours is open in it. It leads a session of its own: signals to the engine's process
/// group are not for it. Throws Error(environment) when it cannot be started.
ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, int extra_fd = -1);

}  // namespace nsr
