// Files that tell the pid of the restored root.
#pragma once

#include <string>
#include <vector>

namespace nsr::launcher {

/// Pid files of one restore. Each appears whole or not at all; an existing file is never replaced. What was written is
/// removed again when this object goes without keep().
class Pidfiles {
 public:
  /// directory: relative names are taken from here.
  explicit Pidfiles(std::string directory) : directory_(std::move(directory)) {}
  Pidfiles(const Pidfiles&) = delete;
  Pidfiles& operator=(const Pidfiles&) = delete;
  ~Pidfiles();

  /// Throws Error(io) when the file exists already: better before a restore than after it. An empty name is no file.
  void require_absent(const std::string& name) const;
  /// Writes the digits without a newline, mode 0600. Throws Error(io).
  void write(const std::string& name, int pid);
  void keep() { written_.clear(); }

 private:
  std::string path_of(const std::string& name) const;

  std::string directory_;
  std::vector<std::string> written_;
};

}  // namespace nsr::launcher
