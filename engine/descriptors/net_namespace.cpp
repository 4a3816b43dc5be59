#include "engine/descriptors/net_namespace.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace nsr {
namespace {

uint64_t inode(const UniqueFd& fd) {
  struct stat st {};
  return fd && fstat(fd.get(), &st) == 0 ? st.st_ino : 0;
}

}  // namespace

UniqueFd network_namespace(int socket) { return UniqueFd(ioctl(socket, SIOCGSKNS)); }

uint64_t network_namespace_of(int socket) {
  UniqueFd net = network_namespace(socket);
  if (!net) net = open_namespace("thread-self", "net");
  return inode(net);
}

uint64_t current_network_namespace() { return inode(open_namespace("thread-self", "net")); }

}  // namespace nsr
