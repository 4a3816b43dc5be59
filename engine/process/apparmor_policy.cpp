#include "engine/process/apparmor_policy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"

namespace nsr {
namespace {

const Logger log("apparmor");

std::string policy_of(const std::string& sys) { return sys + "/kernel/security/apparmor/policy"; }

/// Names in a directory, in order; none where it cannot be read.
std::vector<std::string> entries_of(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& e : std::filesystem::directory_iterator(path, failed)) names.push_back(e.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of_profile(const std::string& directory) {
  std::string name = read_file(directory + "/name").value_or("");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

bool has_profile(const std::string& space, const std::string& name) {
  auto names = entries_of(space + "/profiles");
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& e) { return name_of_profile(space + "/profiles/" + e) == name; });
}

/// Profiles that were loaded together have one binary form, which is listed once.
void read_namespace(const std::string& space, pb::aa_namespace& out) {
  std::set<std::string> seen;
  for (const std::string& e : entries_of(space + "/profiles")) {
    const std::string profile = space + "/profiles/" + e;
    auto blob = read_file(profile + "/raw_data");
    if (!blob) {
      log.warn("profile %s is not kept: the kernel does not show its binary form", profile.c_str());
      continue;
    }
    if (!seen.insert(*blob).second) continue;
    pb::aa_policy& policy = *out.add_policies();
    policy.set_name(name_of_profile(profile));
    policy.set_blob(*blob);
  }
  for (const std::string& e : entries_of(space + "/namespaces")) {
    out.add_namespaces()->set_name(e);
    read_namespace(space + "/namespaces/" + e, *out.mutable_namespaces(out.namespaces_size() - 1));
  }
}

void check_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error(Failure::image, "apparmor.img", "\"" + name + "\" is no name of a policy namespace");
}

/// The kernel takes a policy by one write.
void write_policy(const std::string& space, const pb::aa_policy& policy) {
  const std::string file = space + "/.load";
  if (!write_file(file, policy.blob()))
    throw_errno(Failure::environment, "AppArmor profile " + policy.name(), "it cannot be loaded through " + file,
                errno);
}

}  // namespace

std::set<std::string> policy_namespaces(const std::string& label) {
  std::set<std::string> out;
  for (size_t at = 0; at < label.size();) {
    size_t end = std::min(label.find("//&", at), label.size());
    std::string part = label.substr(at, end - at);
    at = end + 3;
    size_t close = part.starts_with(':') ? part.find(':', 1) : std::string::npos;
    if (close == std::string::npos) continue;
    std::string space = part.substr(1, close - 1);
    out.insert(space.substr(0, space.find("//")));
  }
  return out;
}

pb::apparmor_entry read_policies(const std::set<std::string>& namespaces, const std::string& sys) {
  pb::apparmor_entry out;
  for (const std::string& name : namespaces) {
    const std::string space = policy_of(sys) + "/namespaces/" + name;
    if (::access(space.c_str(), F_OK) != 0) {
      log.warn("policy namespace %s is not kept: %s is not there", name.c_str(), space.c_str());
      continue;
    }
    pb::aa_namespace& entry = *out.add_namespaces();
    entry.set_name(name);
    read_namespace(space, entry);
  }
  return out;
}

LoadedPolicies::LoadedPolicies(const pb::apparmor_entry& policies, const std::string& sys) {
  try {
    for (const pb::aa_namespace& n : policies.namespaces()) load(n, policy_of(sys));
  } catch (...) {
    remove();
    throw;
  }
}

LoadedPolicies::~LoadedPolicies() { remove(); }

void LoadedPolicies::load(const pb::aa_namespace& entry, const std::string& parent) {
  check_name(entry.name());
  const std::string space = parent + "/namespaces/" + entry.name();
  if (::mkdir(space.c_str(), 0755) == 0)
    made_.push_back(space);
  else if (errno != EEXIST)
    throw_errno(Failure::environment, "AppArmor policy namespace " + entry.name(), "it cannot be made", errno);
  for (const pb::aa_policy& p : entry.policies())
    if (!has_profile(space, p.name())) write_policy(space, p);
  for (const pb::aa_namespace& n : entry.namespaces()) load(n, space);
}

void LoadedPolicies::remove() noexcept {
  for (auto space = made_.rbegin(); space != made_.rend(); ++space)
    if (::rmdir(space->c_str())) log.warn("policy namespace %s stays: it cannot be removed", space->c_str());
  made_.clear();
}

}  // namespace nsr
