// The command line of ns-restore.
#pragma once

#include <string>
#include <vector>

#include "mountns/private_proc.h"

namespace nsr::launcher {

struct Options {
  bool help = false;
  bool version = false;
  bool plan = false;       ///< nothing is restored: the engine prints what it would do
  bool detached = false;   ///< return when the tree runs
  bool shell_job = false;  ///< the tree uses the caller's terminal
  Propagation propagation = Propagation::slave;
  std::string images_dir = ".";
  std::string work_dir;                       ///< empty: the images directory
  std::string pidfile;                        ///< the root's pid as the caller sees it; relative to the work directory
  std::string ns_pidfile;                     ///< the root's pid inside
  std::string engine;                         ///< empty: to be looked for
  std::vector<std::string> engine_arguments;  ///< what the engine gets behind the word "restore", in the given order

  const std::string& files_dir() const { return work_dir.empty() ? images_dir : work_dir; }
};

/// The words behind the program's name. Options and the optional word "restore" may stand in any order, long options
/// may be shortened to a unique prefix, short ones bundled. Throws Error(usage).
Options parse_options(const std::vector<std::string>& words);

extern const char* const help_text;

}  // namespace nsr::launcher
