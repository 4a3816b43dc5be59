// The root task of the tree from its birth until it runs the programs of the restore.
#pragma once

#include <array>
#include <cstdint>

#include "engine/restore/shared_area.h"

namespace nsr {

/// A traced process that has nothing but the shared area and its vDSO, and waits for what it is told to do. It may be
/// born long before the files of the tree are opened, for only a member of a pid namespace can mount its /proc, and
/// only the first process of a user namespace can be its owner: then it shares the engine's descriptor table, in which
/// the files are opened, until take_table(). It dies with the engine.
class BornRoot {
 public:
  struct Birth {
    NsPid pid;
    bool sibling = false;       ///< a child of the engine's parent
    uint64_t namespaces = 0;    ///< CLONE_NEW* of clone(2)
    bool shares_table = false;  ///< with the engine
  };
  /// Throws Error(environment), among others when the pid is taken.
  BornRoot(SharedArea& area, const Birth& birth);
  /// Kills it, unless it was handed over.
  ~BornRoot();
  BornRoot(const BornRoot&) = delete;
  BornRoot& operator=(const BornRoot&) = delete;

  HostPid pid() const { return pid_; }
  /// One system call in it: its result or -errno. Operands lie in the arena of the area.
  template <class... Args>
  long call(long nr, Args... args) {
    return run(nr, {to_register(args)...});
  }
  Arena& arena() { return area_.arena(); }
  /// From here on it has a descriptor table of its own, with what is in the engine's now.
  void take_table();
  /// It is the caller's to kill from here on.
  HostPid hand_over();

 private:
  long run(long nr, const std::array<uint64_t, 6>& args);
  void wait_for_end(RemoteAddr program, size_t calls);

  SharedArea& area_;
  HostPid pid_;
  bool shares_table_;
  RemoteAddr slot_{};  ///< program of one call, used again
};

}  // namespace nsr
