#include "ns-launcher/report.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nsr::launcher {
namespace {

union CredentialsBuffer {
  char bytes[CMSG_SPACE(sizeof(ucred))];
  cmsghdr aligned;
};

}  // namespace

bool send_report(int socket, Report report, pid_t named, bool wait) {
  iovec part{&report, sizeof report};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  CredentialsBuffer control;
  if (named != 0) {
    ucred credentials{named, ::geteuid(), ::getegid()};
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof credentials);
    std::memcpy(CMSG_DATA(header), &credentials, sizeof credentials);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) == static_cast<ssize_t>(sizeof report);
}

std::optional<Received> receive_report(int socket) {
  Received received{};
  iovec part{&received.report, sizeof received.report};
  CredentialsBuffer control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t n;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(sizeof received.report)) return std::nullopt;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials;
    std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
    received.sender_or_named = credentials.pid;
  }
  return received;
}

}  // namespace nsr::launcher
