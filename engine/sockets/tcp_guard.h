// A process beside the engine that alone puts sockets of the tree into repair mode. It outlives the engine for as long
// as it takes to put them right: when the engine is killed in mid-dump, no connection of the tree stays mute.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/sockets/tcp_stream.h"

namespace nsr {

class TcpGuard {
 public:
  /// Makes the process. It keeps copies of `parking` (DumpContext) until it ends: a task that ran while its connection
  /// is in repair mode would see EPERM. Throws Error(environment).
  explicit TcpGuard(const std::vector<int>& parking);
  /// Muted connections whose holders live get their voice back; waits for the process.
  ~TcpGuard();
  TcpGuard(const TcpGuard&) = delete;
  TcpGuard& operator=(const TcpGuard&) = delete;

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
  UniqueFd channel_;
  int pid_ = 0;
};

}  // namespace nsr
