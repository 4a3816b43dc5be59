// Devices of a network namespace (netdev-<id>.img, and what that format cannot say in nsr-net-<id>).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/images/image_dir.h"
#include "engine/namespaces/route_socket.h"
#include "nsr-net.pb.h"

namespace nsr {

/// Writes the devices of the calling thread's namespace. Kept: lo, veth, dummy, bridge, vlan, macvlan; what the kernel
/// puts into every namespace by itself is left out. Throws Error(unsupported) naming any other device.
void dump_net_devices(ImageDir& images, uint64_t id, RouteSocket& route, pb::nsr_net_entry& ext);

/// Where the outer end of a veth device goes at the restore: --external veth[INNER]:OUTER[@BRIDGE].
struct OuterVeth {
  std::string name, bridge;
};

/// What the restore is told of the namespaces around.
struct NetSurroundings {
  std::map<std::string, OuterVeth> veth;  ///< by the name inside
  RouteSocket* home = nullptr;            ///< the restorer's namespace
  int home_fd = -1;
};

/// Makes the devices with their indices in the calling thread's (fresh) namespace; they are still down. Throws
/// Error(environment), and Error(usage) for a veth whose other end was outside and has no --external.
void make_net_devices(const ImageDir& images, uint64_t id, RouteSocket& route, const pb::nsr_net_entry& ext,
                      const NetSurroundings& around);
/// Gives them their flags: brings them up.
void raise_net_devices(const ImageDir& images, uint64_t id, RouteSocket& route);

}  // namespace nsr
