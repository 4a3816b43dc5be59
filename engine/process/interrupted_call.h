// System calls with a relative timeout that a dump interrupts: what is left of the time lives only in the kernel's
// restart block, which goes with the old task.
#pragma once

#include "engine/trace/frozen_tree.h"
#include "nsr-task.pb.h"

namespace nsr {

/// Notes the number of such a call and what is left of its timeout. task: whose memory to read (FrozenTask::handle).
/// Does nothing for a thread that is in no such call.
void collect_interrupted_call(HostPid task, const FrozenThread& thread, pb::nsr_thread_entry& ext);

/// A restored thread issues its call again with the time that is left and is stopped in it, so that the kernel knows
/// what to restart. The thread is stopped, deaf to signals, and its memory is complete; insn is a syscall instruction
/// in it; room are 16 bytes that it can read, `local` in the engine. Returns the registers with which it goes on.
arch::Registers resume_interrupted_call(const Tracee& thread, const arch::Registers& regs,
                                        const pb::nsr_thread_entry* ext, RemoteAddr insn, RemoteAddr room, void* local);

}  // namespace nsr
