// Policies of AppArmor's namespaces (apparmor.img): a container may have loaded its own, which are gone after a reboot.
// Below /sys/kernel/security/apparmor/policy each namespace is a directory with its profiles, their binary form
// (raw_data, CONFIG_SECURITY_APPARMOR_EXPORT_BINARY), further namespaces, and a file .load.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "apparmor.pb.h"

namespace nsr {

/// Namespaces right below the host's that a label names ("a//&:outer//inner:b" is in "outer").
std::set<std::string> policy_namespaces(const std::string& label);

/// These namespaces with all below them. What cannot be read is left out with a warning: then the host of the restore
/// must have it. sys: a parameter so that a test can lay out a tree.
pb::apparmor_entry read_policies(const std::set<std::string>& namespaces, const std::string& sys = "/sys");

/// Makes the namespaces that are missing and loads profiles that are not there. Unless it is kept, the namespaces that
/// were made are removed again.
class LoadedPolicies {
 public:
  /// Throws Error(image) for names that cannot be, Error(environment) when the kernel does not take a policy.
  explicit LoadedPolicies(const pb::apparmor_entry& policies, const std::string& sys = "/sys");
  ~LoadedPolicies();
  LoadedPolicies(const LoadedPolicies&) = delete;
  void keep() { made_.clear(); }

 private:
  void load(const pb::aa_namespace& entry, const std::string& parent);
  void remove() noexcept;

  std::vector<std::string> made_;  ///< directories
};

}  // namespace nsr
