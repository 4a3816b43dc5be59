// Another program run to its end.
#pragma once

#include <string>
#include <vector>

namespace nsr {

struct ProgramResult {
  int status = 0;      ///< exit status; 128 + signal when it was killed
  std::string errors;  ///< what it wrote to stderr
};

/// Descriptors that a program gets; -1: none.
struct ProgramFiles {
  int input = -1;           ///< its stdin; else /dev/null
  int output = -1;          ///< its stdout; else /dev/null
  int extra = -1;           ///< its descriptor 3
  int user_namespace = -1;  ///< that it runs in, as the first user there
};

/// Finds argv[0] on PATH, runs it and waits. Nothing else of ours is open in it. It leads a session of its own: signals
/// to the engine's process group are not for it. Throws Error(environment) when it cannot be started.
ProgramResult run_program(const std::vector<std::string>& argv, const ProgramFiles& files);
/// The same with `input` as its stdin and `extra_fd` as its descriptor 3.
ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, int extra_fd = -1);

}  // namespace nsr
