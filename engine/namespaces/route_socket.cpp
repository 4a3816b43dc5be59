#include "engine/namespaces/route_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr size_t kReply = 1 << 18;  // larger than any part of a dump (NLMSG_GOODSIZE, or what recv offers)

nlmsghdr header_of(std::string_view bytes) { return attribute_value<nlmsghdr>(bytes); }

void pad(std::string& bytes) { bytes.resize(NLMSG_ALIGN(bytes.size()), '\0'); }

}  // namespace

void RouteMessage::start(uint16_t type, uint16_t flags, const void* body, size_t n) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
  append(&header, sizeof header);
  append(body, n);
}

void RouteMessage::append(const void* bytes, size_t n) {
  bytes_.append(static_cast<const char*>(bytes), n);
  pad(bytes_);
}

void RouteMessage::add(uint16_t attribute, std::string_view value) {
  rtattr head{static_cast<unsigned short>(sizeof head + value.size()), attribute};
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof head).append(value);
  pad(bytes_);
}

void RouteMessage::nest(uint16_t attribute, const std::function<void(RouteMessage&)>& fill) {
  size_t at = bytes_.size();
  add(attribute, {});
  fill(*this);
  auto length = static_cast<unsigned short>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at, &length, sizeof length);
}

std::string_view nested_attribute(std::string_view nest, uint16_t attribute) {
  while (nest.size() >= sizeof(rtattr)) {
    auto head = attribute_value<rtattr>(nest);
    if (head.rta_len < sizeof head || head.rta_len > nest.size()) return {};
    if ((head.rta_type & NLA_TYPE_MASK) == attribute) return nest.substr(sizeof head, head.rta_len - sizeof head);
    nest.remove_prefix(std::min<size_t>(RTA_ALIGN(head.rta_len), nest.size()));
  }
  return {};
}

std::string_view route_attribute(std::string_view message, size_t body, uint16_t attribute) {
  size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(body);
  return message.size() < skip ? std::string_view() : nested_attribute(message.substr(skip), attribute);
}

std::string attribute_text(std::string_view value) { return std::string(value.substr(0, value.find('\0'))); }

RouteSocket::RouteSocket(int protocol) : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) {
  if (!fd_) throw_errno(Failure::environment, "rtnetlink", "no socket", errno);
}

std::vector<std::string> RouteSocket::dump(uint16_t type, uint8_t family) {
  struct {
    nlmsghdr header{};
    uint8_t family = 0, rest[3] = {};  // what every rtnetlink and nfnetlink request begins with
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  request.family = family;
  if (::send(fd_.get(), &request, sizeof request, 0) < 0)
    throw_errno(Failure::environment, "rtnetlink", format("request %u", type), errno);
  std::vector<std::string> out;
  std::string reply(kReply, '\0');
  for (;;) {
    ssize_t n = ::recv(fd_.get(), reply.data(), reply.size(), 0);
    if (n <= 0) throw_errno(Failure::environment, "rtnetlink", format("answer to request %u", type), errno);
    for (std::string_view left(reply.data(), static_cast<size_t>(n)); left.size() >= sizeof(nlmsghdr);) {
      nlmsghdr header = header_of(left);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > left.size()) break;
      if (header.nlmsg_type == NLMSG_DONE) return out;
      if (header.nlmsg_type == NLMSG_ERROR) {
        int code = attribute_value<int>(left.substr(sizeof header));
        // a family that this kernel does not have
        if (code == -EOPNOTSUPP || code == -EAFNOSUPPORT) return out;
        throw_errno(Failure::environment, "rtnetlink", format("request %u", type), -code);
      }
      out.emplace_back(left.substr(0, header.nlmsg_len));
      left.remove_prefix(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), left.size()));
    }
  }
}

int RouteSocket::talk(std::string& bytes) {
  nlmsghdr header = header_of(bytes);
  header.nlmsg_len = static_cast<uint32_t>(bytes.size());
  header.nlmsg_seq = ++sequence_;
  header.nlmsg_pid = 0;
  bytes.replace(0, sizeof header, reinterpret_cast<const char*>(&header), sizeof header);
  if (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) return errno;
  char reply[4096];
  ssize_t n;
  do {
    n = ::recv(fd_.get(), reply, sizeof reply, 0);
    if (n < 0) return errno;
  } while (header_of({reply, static_cast<size_t>(n)}).nlmsg_seq != sequence_);
  return -attribute_value<int>(std::string_view(reply, static_cast<size_t>(n)).substr(sizeof header));
}

int RouteSocket::request(const RouteMessage& message) {
  std::string bytes = message.bytes_;
  return talk(bytes);
}

int RouteSocket::repeat(std::string message, uint16_t type, uint16_t flags) {
  if (message.size() < sizeof(nlmsghdr)) return EINVAL;
  nlmsghdr header = header_of(message);
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
  message.replace(0, sizeof header, reinterpret_cast<const char*>(&header), sizeof header);
  return talk(message);
}

}  // namespace nsr
