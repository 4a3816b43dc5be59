// Scheduling of a thread: policy, nice value, CPU affinity, I/O priority (sched_setattr(2), ioprio_set(2)).
#pragma once

#include <string>

#include "core.pb.h"
#include "engine/base/ids.h"
#include "engine/trace/program.h"
#include "nsr-task.pb.h"

namespace nsr {

/// The CPUs that are online, as sched_getaffinity(2) writes them: bit n of the little-endian byte string is CPU n.
/// Empty when /sys does not tell.
std::string online_cpus();
/// In an image's mask, each byte: the thread may run on every CPU, also on a host that has more.
inline constexpr char kEveryCpu = '\xff';

/// A thread asks about itself.
class SchedulingReader {
 public:
  static size_t arena_size();
  void add(Program& program, Arena& arena);
  /// object: the thread, for messages. Throws Error(target) when the kernel did not tell.
  void collect(const Program& program, const Arena& arena, const std::string& object, pb::thread_core_entry& tc,
               pb::nsr_thread_entry& ext) const;

 private:
  RemoteAddr attributes_{}, affinity_{};
  Program::Index first_{};
};

/// The thread sets all that for itself. ext: nothing for images of the peer.
void emit_scheduling(const pb::thread_core_entry& tc, const pb::nsr_thread_entry* ext, Program& program, Arena& arena);
/// It is set from outside: in a user namespace the thread has no right to raise anything. Throws Error(environment).
void set_scheduling(HostPid tid, const std::string& object, const pb::thread_core_entry& tc,
                    const pb::nsr_thread_entry* ext);

}  // namespace nsr
