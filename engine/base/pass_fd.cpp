#include "engine/base/pass_fd.h"

#include <sys/socket.h>

#include <cstring>

namespace nsr {
namespace {

/// One byte and room for one descriptor.
struct Parcel {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};

  Parcel() {
    head.msg_iov = &data;
    head.msg_iovlen = 1;
    head.msg_control = control;
    head.msg_controllen = sizeof control;
  }
};

}  // namespace

bool send_fd(int socket, int fd) {
  Parcel parcel;
  cmsghdr* c = CMSG_FIRSTHDR(&parcel.head);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return ::sendmsg(socket, &parcel.head, MSG_NOSIGNAL) == 1;
}

UniqueFd receive_fd(int socket) {
  Parcel parcel;
  if (::recvmsg(socket, &parcel.head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) return {};
  const cmsghdr* c = CMSG_FIRSTHDR(&parcel.head);
  if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace nsr
