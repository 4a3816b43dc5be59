#include "engine/base/pass_fd.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "engine/base/file_io.h"

namespace nsr {
namespace {

/// Data and room for one descriptor.
struct Parcel {
  iovec data;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};

  Parcel(void* bytes, size_t n) : data{bytes, n} {
    head.msg_iov = &data;
    head.msg_iovlen = 1;
    head.msg_control = control;
    head.msg_controllen = sizeof control;
  }

  void put(int fd) {
    if (fd < 0) {
      head.msg_controllen = 0;
      return;
    }
    cmsghdr* c = CMSG_FIRSTHDR(&head);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }

  /// -1: none has come.
  int get() {
    const cmsghdr* c = CMSG_FIRSTHDR(&head);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return -1;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
  }
};

}  // namespace

bool send_fd(int socket, int fd) {
  char byte = 0;
  Parcel parcel(&byte, 1);
  parcel.put(fd);
  return ::sendmsg(socket, &parcel.head, MSG_NOSIGNAL) == 1;
}

UniqueFd receive_fd(int socket) {
  char byte = 0;
  Parcel parcel(&byte, 1);
  if (::recvmsg(socket, &parcel.head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) return {};
  return UniqueFd(parcel.get());
}

bool send_with_fd(int socket, const std::string& bytes, int fd) {
  for (size_t done = 0; done < bytes.size();) {
    Parcel parcel(const_cast<char*>(bytes.data()) + done, bytes.size() - done);
    parcel.put(done == 0 ? fd : -1);
    const ssize_t n = ::sendmsg(socket, &parcel.head, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool receive_with_fd(int socket, void* to, size_t n, UniqueFd& fd) {
  Parcel parcel(to, n);
  ssize_t got;
  while ((got = ::recvmsg(socket, &parcel.head, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got <= 0) return false;
  if (const int one = parcel.get(); one >= 0) fd.reset(one);
  return read_exact(socket, static_cast<char*>(to) + got, n - static_cast<size_t>(got));
}

}  // namespace nsr
