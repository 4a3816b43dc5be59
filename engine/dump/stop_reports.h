// What the parents have been told by waitid(2) of children that were stopped (WSTOPPED) or continued (WCONTINUED): each
// is told once.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "engine/trace/frozen_tree.h"
#include "engine/trace/program.h"

namespace nsr {

/// Asks in each parent, by its own calls and without taking the report. For each parent in turn: ask, run, collect.
class StopReports {
 public:
  explicit StopReports(const FrozenTree& tree);
  /// Bytes of arena that ask() takes for this parent.
  size_t arena_size(HostPid parent) const;
  /// Appends the questions to a program of the parent.
  void ask(HostPid parent, Program& program, Arena& arena);
  /// Reads the answers after the program has run.
  void collect(HostPid parent, const Program& program, const Arena& arena);
  /// Whether the parent of this stopped task has taken the report; false as long as nobody asked.
  bool reported(HostPid pid) const { return reported_.count(pid) != 0; }
  /// Whether the parent of this running task has yet to be told that it was continued.
  bool continue_pending(HostPid pid) const { return continued_.count(pid) != 0; }

 private:
  struct Question {
    HostPid child;
    NsPid ns_child;
    bool stopped;
    RemoteAddr info{};
    Program::Index call = 0;
  };
  std::map<HostPid, std::vector<Question>> questions_;  ///< by parent
  std::set<HostPid> reported_, continued_;
};

}  // namespace nsr
