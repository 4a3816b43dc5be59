// Keys of TCP MD5 signatures (RFC 2385, tcp(7)): sock_diag tells them to CAP_NET_ADMIN, of listeners and connections.
#pragma once

#include <string>

#include "engine/sockets/sock_diag.h"
#include "nsr-sk.pb.h"

namespace nsr {

/// Adds the keys of a socket. The device of a key (a VRF) is not told by the kernel, and is lost.
void collect_md5_keys(const TcpRecord& record, pb::nsr_sk_entry& extra);
/// Gives them to a socket that neither listens nor is connected. Throws Error(image) or Error(environment).
void apply_md5_keys(int fd, uint32_t family, const pb::nsr_sk_entry& extra, const std::string& object);

}  // namespace nsr
