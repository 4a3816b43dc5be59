#include "engine/namespaces/firewall.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <tuple>

namespace nsr {
namespace {

struct End {
  std::string address;
  uint16_t port;
};

End end_of(const sockaddr_storage& a) {
  if (a.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(a);
    return {std::string(reinterpret_cast<const char*>(&in.sin_addr), 4), ntohs(in.sin_port)};
  }
  const auto& in = reinterpret_cast<const sockaddr_in6&>(a);
  const auto* bytes = reinterpret_cast<const char*>(&in.sin6_addr);
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
  return {mapped ? std::string(bytes + 12, 4) : std::string(bytes, 16), ntohs(in.sin6_port)};
}

void tidy(std::vector<Ends>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

bool Ends::operator<(const Ends& o) const {
  return std::tie(local, local_port, peer, peer_port) < std::tie(o.local, o.local_port, o.peer, o.peer_port);
}

HeldPackets::HeldPackets(std::span<const Connection> connections) {
  for (const Connection& c : connections) {
    const End local = end_of(c.local), peer = end_of(c.peer);
    (local.address.size() == 4 ? v4 : v6).push_back({local.address, peer.address, local.port, peer.port});
  }
  tidy(v4);
  tidy(v6);
}

void HeldPackets::add(const HeldPackets& more) {
  v4.insert(v4.end(), more.v4.begin(), more.v4.end());
  v6.insert(v6.end(), more.v6.begin(), more.v6.end());
  tidy(v4);
  tidy(v6);
}

}  // namespace nsr
