// NUMA memory policy of a thread (set_mempolicy(2)): to messages and back to a syscall.
#pragma once

#include <string>

#include "engine/trace/program.h"
#include "nsr-task.pb.h"

namespace nsr {

/// Nodes of a list as /sys/devices/system/node/possible has it ("0-1,3"), as a little-endian bit string of whole 64-bit
/// words; empty where the text is.
std::string node_mask(const std::string& list);

/// Asks one thread for its policy: add() appends the call, collect() notes what is not the default.
class MemoryPolicyReader {
 public:
  void add(Program& program, Arena& arena);
  void collect(const Program& program, const Arena& arena, pb::nsr_thread_entry& ext) const;

 private:
  Program::Index call_ = 0;
  RemoteAddr mode_{};
  size_t bytes_ = 0;  ///< of the node mask behind the mode; 0: the kernel has no NUMA
};

/// Sets the policy again, on those of its nodes that have memory here; with none of them it is left out.
void emit_memory_policy(const pb::nsr_thread_entry& ext, Program& program, Arena& arena);

}  // namespace nsr
