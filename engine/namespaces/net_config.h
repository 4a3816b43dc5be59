// Addresses, routes and policy rules of a network namespace, in the byte format of ifaddr, route, route6 and rule
// images: the answers of rtnetlink dumps behind one word.
#pragma once

#include <cstdint>

#include "engine/images/image_dir.h"
#include "engine/namespaces/route_socket.h"

namespace nsr {

/// Writes the four images of the calling thread's namespace.
void dump_net_config(ImageDir& images, uint64_t id, RouteSocket& route);
/// Makes the calling thread's namespace, whose devices are there and up, have these addresses, routes and rules and no
/// others. Throws Error(image), Error(environment) naming the first that cannot be set.
void fill_net_config(const ImageDir& images, uint64_t id, RouteSocket& route);

}  // namespace nsr
