// A process beside the engine that alone puts sockets of the tree into repair mode. It outlives the engine for as long
// as it takes to put them right: when the engine is killed in mid-dump, no connection of the tree stays mute.
#pragma once

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

  /// read_tcp_stream() over there; what it throws is thrown here.
  TcpStream read(int fd, uint32_t state, const std::string& object);
  /// mute_tcp_connection() over there, which keeps the socket. `holder` is a task that has it.
  void mute(int fd, HostPid holder, const std::string& object);

 private:
  UniqueFd channel_;
  int pid_ = 0;
};

}  // namespace nsr
