// Pairs of connected UNIX sockets in the name of somebody.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/base/unique_fd.h"
#include "nsr-sk.pb.h"

namespace nsr {

struct SocketPair {
  UniqueFd first, second;
};

/// socketpair(2) in the name of somebody: both ends show those credentials as their peer's (unix(7), SO_PEERCRED).
/// That takes a process of that id, so pairs for one who wants many are made more at a time; what is left over goes
/// with this object.
class SocketPairs {
 public:
  /// Throws Error(environment).
  SocketPair take(const pb::nsr_sk_cred& who, int type, const std::string& object);

 private:
  struct Stock {
    std::vector<SocketPair> pairs;
    size_t next = 1;  ///< how many are made when it is empty
  };
  std::map<std::tuple<uint32_t, uint32_t, uint32_t, int>, Stock> stock_;  ///< by pid, uid, gid, type
};

}  // namespace nsr
