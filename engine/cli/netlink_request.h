// A netlink request small enough for probes: built in place, answered by one message.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <string>
#include <vector>

namespace nsr {

/// netlink(7): one request with attributes, nested ones included.
class NetlinkRequest {
 public:
  /// body: the fixed structure of the family that follows the netlink header.
  NetlinkRequest(int family, uint16_t type, uint16_t flags, const void* body, size_t size);
  NetlinkRequest& attribute(uint16_t type, const void* data, size_t size);
  /// A fixed structure inside a nested attribute.
  NetlinkRequest& bytes(const std::string& structure);
  NetlinkRequest& begin(uint16_t type);
  NetlinkRequest& end();

  /// Sends it and receives the first answer into `answer` (header included). Returns 0, or the errno of the failure
  /// that the kernel reports.
  int ask(std::string* answer = nullptr);

 private:
  int family_;
  std::string bytes_;
  std::vector<size_t> open_;  ///< offsets of nested attributes that are not closed yet, innermost last
};

}  // namespace nsr
