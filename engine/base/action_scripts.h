// Hook programs (--action-script) and the pidfile.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace nsr {

/// What a hook program is told through its environment.
struct ScriptContext {
  int images_dir_fd = -1;  ///< CRTOOLS_IMAGE_DIR=/proc/<our pid>/fd/<this>; -1 = not told
  pid_t root_pid = 0;      ///< CRTOOLS_INIT_PID, a host pid; 0 = not known yet, not told
  int log_fd = -1;         ///< becomes stdout and stderr; -1 = the log
};

/// Runs every program once with CRTOOLS_SCRIPT_ACTION=action, the last of the list first, all of them even when one
/// fails. A program gets only its own name as argument (PATH is searched, no shell), no stdin, the current directory.
/// Throws Error(script) naming the first one that failed and how; then the others have run too.
void run_scripts(const std::string& action, const std::vector<std::string>& programs, const ScriptContext& context);

/// Creates the file (0600) with the digits of pid and no newline. Throws Error(io) when it exists or cannot be written.
void write_pidfile(const std::string& path, pid_t pid);

}  // namespace nsr
