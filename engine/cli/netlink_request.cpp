#include "engine/cli/netlink_request.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

template <class T>
void put(std::string& bytes, size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void pad(std::string& bytes) { bytes.resize(NLMSG_ALIGN(bytes.size())); }

}  // namespace

NetlinkRequest::NetlinkRequest(int family, uint16_t type, uint16_t flags, const void* body, size_t size)
    : family_(family) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_seq = 1;
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(static_cast<const char*>(body), size);
  pad(bytes_);
}

NetlinkRequest& NetlinkRequest::attribute(uint16_t type, const void* data, size_t size) {
  nlattr header{static_cast<uint16_t>(NLA_HDRLEN + size), type};
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(static_cast<const char*>(data), size);
  pad(bytes_);
  return *this;
}

NetlinkRequest& NetlinkRequest::bytes(const std::string& structure) {
  bytes_ += structure;
  pad(bytes_);
  return *this;
}

NetlinkRequest& NetlinkRequest::begin(uint16_t type) {
  open_.push_back(bytes_.size());
  return attribute(type, "", 0);
}

NetlinkRequest& NetlinkRequest::end() {
  size_t at = open_.back();
  open_.pop_back();
  put(bytes_, at, static_cast<uint16_t>(bytes_.size() - at));
  return *this;
}

int NetlinkRequest::ask(std::string* answer) {
  put(bytes_, 0, static_cast<uint32_t>(bytes_.size()));
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family_));
  if (!socket) return errno;
  if (::send(socket.get(), bytes_.data(), bytes_.size(), 0) < 0) return errno;
  std::string reply(16384, '\0');
  ssize_t n = ::recv(socket.get(), reply.data(), reply.size(), 0);
  if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return n < 0 ? errno : EPROTO;
  reply.resize(static_cast<size_t>(n));
  nlmsghdr header;
  std::memcpy(&header, reply.data(), sizeof header);
  bool carries_code = header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE;
  if (carries_code && reply.size() >= sizeof header + sizeof(int)) {
    int code;
    std::memcpy(&code, reply.data() + sizeof header, sizeof code);
    if (code < 0) return -code;
  }
  if (answer) *answer = std::move(reply);
  return 0;
}

}  // namespace nsr
