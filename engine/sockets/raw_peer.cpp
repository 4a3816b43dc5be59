#include "engine/sockets/raw_peer.h"

#include <netinet/in.h>

#include <cstdio>
#include <cstring>
#include <sstream>

#include "engine/base/file_io.h"
#include "engine/descriptors/net_namespace.h"

namespace nsr {
namespace {

constexpr unsigned kConnected = 1;  // TCP_ESTABLISHED

/// One or four words of eight digits, each as it lies in memory, and a port.
SocketAddress parse_address(const std::string& text) {
  SocketAddress a;
  uint32_t words[4] = {};
  const size_t digits = text.find(':');
  for (size_t i = 0; i < 4 && 8 * i + 8 <= digits; i++) sscanf(text.c_str() + 8 * i, "%8X", &words[i]);
  if (digits == 8) {
    auto& in = reinterpret_cast<sockaddr_in&>(a.storage);
    in.sin_family = AF_INET;
    memcpy(&in.sin_addr, words, sizeof in.sin_addr);
    a.length = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(a.storage);
    in.sin6_family = AF_INET6;
    memcpy(&in.sin6_addr, words, sizeof in.sin6_addr);
    a.length = sizeof in;
  }
  return a;
}

}  // namespace

std::optional<SocketAddress> parse_raw_peer(const std::string& text, uint32_t ino) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    char remote[64];
    unsigned state;
    unsigned long inode;
    // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
    if (sscanf(line.c_str(), " %*u: %*s %63s %X %*s %*s %*s %*u %*u %lu", remote, &state, &inode) == 3 &&
        inode == ino && state == kConnected)
      return parse_address(remote);
  }
  return {};
}

std::optional<SocketAddress> raw_peer(int fd, int family, int type, uint32_t ino) {
  const InNetworkNamespace there(network_namespace(fd));
  std::string path = std::string("/proc/thread-self/net/") + (type == SOCK_RAW ? "raw" : "icmp");
  if (family == AF_INET6) path += "6";
  const auto text = read_file(path);
  return text ? parse_raw_peer(*text, ino) : std::nullopt;
}

}  // namespace nsr
