// rtnetlink(7): asking a network namespace for its devices, addresses, routes and rules, and setting them.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/unique_fd.h"

namespace nsr {

/// One message: nlmsghdr, a fixed body, attributes.
class RouteMessage {
 public:
  template <class Body>
  RouteMessage(uint16_t type, uint16_t flags, const Body& body) {
    start(type, flags, &body, sizeof body);
  }
  void add(uint16_t attribute, std::string_view value);
  template <class T>
  void add_value(uint16_t attribute, const T& value) {
    add(attribute, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
  /// Zero-terminated.
  void add_text(uint16_t attribute, const std::string& text) {
    add(attribute, std::string_view(text.c_str(), text.size() + 1));
  }
  /// An attribute whose value is what `fill` adds.
  void nest(uint16_t attribute, const std::function<void(RouteMessage&)>& fill);
  /// A body in the middle of attributes (the device inside VETH_INFO_PEER).
  void append(const void* bytes, size_t n);

 private:
  friend class RouteSocket;
  void start(uint16_t type, uint16_t flags, const void* body, size_t n);
  std::string bytes_;
};

/// Value of an attribute of a whole message whose body has this size; empty view when it is not there.
std::string_view route_attribute(std::string_view message, size_t body, uint16_t attribute);
/// The same inside the value of a nested one.
std::string_view nested_attribute(std::string_view nest, uint16_t attribute);
template <class T>
T attribute_value(std::string_view value, T absent = {}) {
  T out = absent;
  if (value.size() >= sizeof out) value.copy(reinterpret_cast<char*>(&out), sizeof out);
  return out;
}
/// Without the terminating zero.
std::string attribute_text(std::string_view value);
/// The fixed part of a whole message.
template <class Body>
Body route_body(std::string_view message) {
  return attribute_value<Body>(message.size() > NLMSG_HDRLEN ? message.substr(NLMSG_HDRLEN) : std::string_view());
}

/// A socket in the calling thread's network namespace.
class RouteSocket {
 public:
  /// Throws Error(environment).
  explicit RouteSocket(int protocol = NETLINK_ROUTE);
  /// All answers to a dump request, each a whole message of one type. Throws Error(environment).
  std::vector<std::string> dump(uint16_t type, uint8_t family);
  /// Asks the kernel to do it: 0 or an errno value.
  [[nodiscard]] int request(const RouteMessage& message);
  /// The same for a message that a dump gave, as another type and with these flags besides REQUEST and ACK.
  [[nodiscard]] int repeat(std::string message, uint16_t type, uint16_t flags);

 private:
  [[nodiscard]] int talk(std::string& bytes);
  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace nsr
