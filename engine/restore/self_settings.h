// What only a task itself can write into its /proc/self: audit login uid, security label.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/restore/image_set.h"

namespace nsr {

/// Where the tree has a user namespace of its own, in which its tasks have few rights on the host.
struct UserSettings {
  bool own = false;           ///< scheduling is set from outside
  bool groups_fixed = false;  ///< nobody inside may change supplementary groups
  int to_enter = -1;  ///< the engine's descriptor of the namespace where processes are made outside of it; else -1
};

/// What a task has to write into its own /proc before its threads exist.
struct SelfSettings {
  int proc_fd = -1;                   ///< the engine's descriptor of /proc, kept by RestoreFiles
  std::map<int, uint32_t> login_uid;  ///< by task index: those that differ from the engine's
  std::map<int, std::string> label;   ///< by task index: what goes into label_file
  std::string label_file;
  std::map<int, std::string> socket_label;  ///< by task index: what goes into kSocketLabelFile
  UserSettings users;
  bool empty() const { return login_uid.empty() && label.empty() && socket_label.empty(); }
};
/// own_users: the tree has a user namespace of its own, where nobody may set a login uid: it is born with the root's
/// (WithLoginUid). Throws Error(environment) when a label cannot be set on this host.
SelfSettings self_settings(const ImageSet& set, const std::string& lsm_profile, bool own_users);

/// The audit login uid of the calling process while this lives, which its children inherit. A warning where the kernel
/// lets nobody change it.
class WithLoginUid {
 public:
  explicit WithLoginUid(std::optional<uint32_t> uid);
  WithLoginUid(const WithLoginUid&) = delete;
  ~WithLoginUid();

 private:
  std::optional<std::string> own_;  ///< to be set again
};

}  // namespace nsr
