#include "pidns/ns_identity.h"

#include <sys/stat.h>

#include <string>

#include "engine/base/error.h"

namespace nsr {
namespace {

std::optional<NsIdentity> identity_of(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return std::nullopt;
  return NsIdentity{st.st_dev, st.st_ino};
}

}  // namespace

std::optional<NsIdentity> ns_identity(HostPid pid, const char* kind) {
  return identity_of(format("/proc/%d/ns/%s", pid.value, kind));
}

std::optional<NsIdentity> own_ns_identity(const char* kind) {
  return identity_of(std::string("/proc/thread-self/ns/") + kind);
}

}  // namespace nsr
