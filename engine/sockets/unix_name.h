// Names of UNIX sockets (unix(7)): sun_path as images hold it, the node behind a path, binding it again.
#pragma once

#include <sys/un.h>

#include <string>

#include "engine/sockets/socket_base.h"
#include "nsr-sk.pb.h"
#include "sk-unix.pb.h"

namespace nsr {

/// sun_path of an address: abstract with its leading NUL, a path without its end.
std::string sun_path(const SocketAddress& address);
/// The other way. Throws Error(image) when it is too long.
SocketAddress unix_address(const std::string& name, const std::string& object);
/// Name of an image without the NUL that ends a path there.
std::string name_of(const pb::unix_sk_entry& sk);
inline bool is_path(const std::string& name) { return !name.empty() && name[0] != '\0'; }
/// "/run/x.sock", "@abstract", "unnamed", for messages.
std::string name_text(const std::string& name);

/// Fills name, name_dir, file_perms and deleted from a borrowed socket, and where its node is when it was moved.
void collect_name(int fd, pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra, const UserMap& users,
                  const std::string& object);

/// How a name is bound.
enum class Bind {
  owner,      ///< the path's node stays, or goes where it was moved to; a dead node there is replaced
  in_passing  ///< the socket only bears the name (an accepted socket, a deleted node): what is there stays
};
/// Binds fd to the name. Returns false when somebody else has it and the socket can do without (in_passing).
/// Throws Error(environment) when the name cannot be had.
bool bind_name(int fd, const pb::unix_sk_entry& sk, const pb::nsr_sk_entry& extra, Bind how, const std::string& object);
/// Mode and owner of the node of a bound path.
void apply_name_permissions(const pb::unix_sk_entry& sk, const pb::nsr_sk_entry& extra, const UserMap& users,
                            const std::string& object);

/// An address under which a bound socket of ours can be reached, even when its node is deleted or covered. `node` must
/// live as long as the address is used.
SocketAddress reachable_address(int fd, UniqueFd& node);

}  // namespace nsr
