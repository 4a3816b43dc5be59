// What only a task itself can write into its /proc/self: audit login uid, security label.
#pragma once

#include <map>
#include <string>

#include "engine/restore/image_set.h"

namespace nsr {

/// What a task has to write into its own /proc before its threads exist.
struct SelfSettings {
  int proc_fd = -1;                   ///< the engine's descriptor of /proc, kept by RestoreFiles
  std::map<int, uint32_t> login_uid;  ///< by task index: those that differ from the engine's
  std::map<int, std::string> label;   ///< by task index: what goes into label_file
  std::string label_file;
  std::map<int, std::string> socket_label;  ///< by task index: what goes into kSocketLabelFile
  bool empty() const { return login_uid.empty() && label.empty() && socket_label.empty(); }
};
/// Throws Error(environment) when a label cannot be set on this host.
SelfSettings self_settings(const ImageSet& set, const std::string& lsm_profile);

}  // namespace nsr
