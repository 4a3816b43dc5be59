// A process beside the engine that alone puts sockets of the tree into repair mode. It outlives the engine for as long
// as it takes to put them right: when the engine is killed in mid-dump, no connection of the tree stays mute.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/sockets/guard_process.h"
#include "engine/sockets/tcp_stream.h"

namespace nsr {

class TcpGuard {
 public:
  /// Makes the process. It keeps copies of `parking` (DumpContext) until it ends: a task that ran while its connection
  /// is in repair mode would see EPERM. Throws Error(environment).
  /// At its end muted connections whose holders live get their voice back.
  explicit TcpGuard(const std::vector<int>& parking);

  struct Job {
    int fd;
    uint32_t state;
    HostPid holder;  ///< a task that has the socket
    std::string object;
  };
  /// read_tcp_stream() of each over there, several under way at a time; `take` gets index and stream, in order. What
  /// one of them throws is thrown here.
  void read(const std::vector<Job>& jobs, const std::function<void(size_t, TcpStream)>& take);
  /// mute_tcp_connection() of each over there, where the sockets stay open.
  void mute(const std::vector<Job>& jobs);

 private:
  GuardProcess process_;
};

}  // namespace nsr
