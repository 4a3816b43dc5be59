// Network namespaces (network_namespaces(7)): devices, addresses, routes, rules, settings, packet filter. Sockets in
// them are open files.
#pragma once

#include <cstdint>
#include <string>

#include "engine/images/image_dir.h"
#include "engine/namespaces/net_devices.h"

namespace nsr {

/// Writes the calling thread's namespace. key: it is given back from outside at the restore, only that is noted.
/// empty: the restore makes an empty one (--empty-ns net).
void dump_net_namespace(ImageDir& images, uint64_t id, const std::string& key, bool empty);
/// The key of an external one; empty when the restore makes it.
std::string external_net_key(const ImageDir& images, uint64_t id);

struct NetFill {
  NetSurroundings around;
  bool weak_sysctls = false;
};
/// Fills the calling thread's (fresh) namespace.
void fill_net_namespace(const ImageDir& images, uint64_t id, const NetFill& how);

}  // namespace nsr
