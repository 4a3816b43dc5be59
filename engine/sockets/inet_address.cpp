#include "engine/sockets/inet_address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "engine/base/error.h"

namespace nsr {
namespace {

const sockaddr_in& v4(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in&>(a.storage); }
const sockaddr_in6& v6(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in6&>(a.storage); }

}  // namespace

uint16_t port_of(const SocketAddress& address) {
  if (address.length == 0) return 0;
  if (address.storage.ss_family == AF_INET) return ntohs(v4(address).sin_port);
  return address.storage.ss_family == AF_INET6 ? ntohs(v6(address).sin6_port) : 0;
}

void address_words(int family, const SocketAddress& address, AddressWords& words) {
  uint32_t raw[4] = {};
  if (address.length != 0 && address.storage.ss_family == family) {
    if (family == AF_INET)
      memcpy(raw, &v4(address).sin_addr, 4);
    else
      memcpy(raw, &v6(address).sin6_addr, 16);
  }
  for (int i = 0; i < (family == AF_INET ? 1 : 4); i++) words.Add(raw[i]);
}

std::string scope_of(const SocketAddress& address) {
  char name[IF_NAMESIZE] = {};
  if (address.length == 0 || address.storage.ss_family != AF_INET6 || v6(address).sin6_scope_id == 0) return {};
  return if_indextoname(v6(address).sin6_scope_id, name) ? name : "";
}

SocketAddress make_address(uint32_t family, const AddressWords& words, uint32_t port, const std::string& ifname,
                           const std::string& object) {
  if (port > UINT16_MAX) throw Error(Failure::image, object, format("port %u is impossible", port));
  SocketAddress a;
  if (family == AF_INET && words.size() == 1) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    memcpy(&in.sin_addr, words.data(), 4);
    a.length = sizeof in;
    memcpy(&a.storage, &in, sizeof in);
  } else if (family == AF_INET6 && words.size() == 4) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(static_cast<uint16_t>(port));
    memcpy(&in.sin6_addr, words.data(), 16);
    if (!ifname.empty() && IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr)) {
      in.sin6_scope_id = if_nametoindex(ifname.c_str());
      if (in.sin6_scope_id == 0)
        throw Error(Failure::environment, object, "interface " + ifname + " of its address does not exist here");
    }
    a.length = sizeof in;
    memcpy(&a.storage, &in, sizeof in);
  } else {
    throw Error(Failure::image, object, format("family %u with %d address words is impossible", family, words.size()));
  }
  return a;
}

bool is_any(const AddressWords& words) {
  return std::all_of(words.begin(), words.end(), [](uint32_t w) { return w == 0; });
}

std::string address_text(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.length == 0) return "nothing";
  if (address.storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &v4(address).sin_addr, text, sizeof text);
    return format("%s:%u", text, port_of(address));
  }
  inet_ntop(AF_INET6, &v6(address).sin6_addr, text, sizeof text);
  return format("[%s]:%u", text, port_of(address));
}

}  // namespace nsr
