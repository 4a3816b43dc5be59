#include "engine/descriptors/net_namespace.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"

namespace nsr {
namespace {

uint64_t inode(const UniqueFd& fd) {
  struct stat st {};
  return fd && fstat(fd.get(), &st) == 0 ? st.st_ino : 0;
}

UniqueFd own_network_namespace() { return UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

}  // namespace

UniqueFd network_namespace(int socket) { return UniqueFd(ioctl(socket, SIOCGSKNS)); }

uint64_t network_namespace_of(int socket) {
  UniqueFd net = network_namespace(socket);
  if (!net) net = own_network_namespace();
  return inode(net);
}

uint64_t current_network_namespace() { return inode(own_network_namespace()); }

InNetworkNamespace::InNetworkNamespace(const UniqueFd& target) {
  UniqueFd own = own_network_namespace();
  if (!target || inode(target) == inode(own)) return;
  if (setns(target.get(), CLONE_NEWNET) != 0)
    throw_errno(Failure::environment, "network", "entering the network namespace of a socket", errno);
  own_ = std::move(own);
}

InNetworkNamespace::~InNetworkNamespace() {
  // Cannot fail: the descriptor was opened by this thread and the privilege was there a moment ago.
  if (own_ && setns(own_.get(), CLONE_NEWNET) != 0) std::terminate();
}

}  // namespace nsr
