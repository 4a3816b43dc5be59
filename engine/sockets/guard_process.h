// A process beside the engine that outlives it for as long as it takes to put things of the tree right.
#pragma once

#include <functional>
#include <vector>

#include "engine/base/unique_fd.h"

namespace nsr {

class GuardProcess {
 public:
  /// Makes the process, in which `serve` runs with its end of a stream socket: end-of-file there says that the engine
  /// is gone or done. It has nothing else open but copies of `parking` (DumpContext), until it ends: no task of the
  /// tree runs before that. what: for the message of Error(environment).
  GuardProcess(const char* what, const std::vector<int>& parking, const std::function<void(int channel)>& serve);
  /// Waits for its end.
  ~GuardProcess();
  GuardProcess(const GuardProcess&) = delete;
  GuardProcess& operator=(const GuardProcess&) = delete;
  int channel() const { return channel_.get(); }

 private:
  UniqueFd channel_;
  int pid_ = 0;
};

}  // namespace nsr
