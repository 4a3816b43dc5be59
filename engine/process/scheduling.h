// Scheduling of a thread: policy, nice value, CPU affinity, I/O priority (sched_setattr(2), ioprio_set(2)).
#pragma once

#include <string>

#include "core.pb.h"
#include "engine/base/ids.h"
#include "engine/trace/program.h"
#include "nsr-task.pb.h"

namespace nsr {

/// Asks the kernel about one thread. Throws Error(target) when it is gone.
void read_scheduling(HostPid tid, const std::string& object, pb::thread_core_entry& tc, pb::nsr_thread_entry& ext);
/// The thread sets all that for itself. ext: nothing for images of the peer.
void emit_scheduling(const pb::thread_core_entry& tc, const pb::nsr_thread_entry* ext, Program& program, Arena& arena);
/// It is set from outside: in a user namespace the thread has no right to raise anything. Throws Error(environment).
void set_scheduling(HostPid tid, const std::string& object, const pb::thread_core_entry& tc,
                    const pb::nsr_thread_entry* ext);

}  // namespace nsr
