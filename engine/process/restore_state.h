// State of a process and its threads: messages to syscalls of the restored tasks.
#pragma once

#include <optional>

#include "core.pb.h"
#include "engine/trace/program.h"
#include "mm.pb.h"
#include "nsr-task.pb.h"

namespace nsr {

/// What concerns one thread and needs its rights: names, lists, alternate stack, rseq, queued signals.
void emit_thread(const pb::core_entry& core, const pb::nsr_thread_entry* ext, NsPid pid, NsPid tid, Program& program,
                 Arena& arena);
/// What PR_SET_DUMPABLE is to set when the credentials of all who share the memory are in place. Nothing for 2, which
/// the kernel gives to who changes ids while fs.suid_dumpable is 2; elsewhere 0, which lets nobody look either.
std::optional<uint64_t> dumpable_to_set(const pb::mm_entry& mm);
/// The thread's credentials and what a change of credentials would undo, then strict seccomp. The last part of its
/// program, behind its filters. has_own: it has its credentials from birth on. groups_fixed: as in
/// engine/process/credentials.h.
void emit_thread_last(const pb::core_entry& core, const pb::mm_entry& mm, bool leader, bool has_own, bool groups_fixed,
                      Program& program, Arena& arena);
/// Drops what is queued of a signal that the making of the tree has sent; nothing for 0 (clone(2): no exit signal) and
/// for those that cannot be queued. Its action is then the default or emit_process'.
void emit_flush(int signal, Program& program, Arena& arena);
/// What concerns the process, in its first thread: actions, queued signals, limits, timers; all threads must exist.
void emit_process(const pb::core_entry& core, const pb::nsr_task_entry& ext, NsPid pid, Program& program, Arena& arena);
/// Throws Error(environment) naming the first limit that would have to be raised without CAP_SYS_RESOURCE.
void check_rlimits(const pb::core_entry& core, const std::string& object);
/// Resource limits; after all descriptors and mappings are in place. queues_late: without that of queued signals.
void emit_rlimits(const pb::core_entry& core, bool queues_late, Program& program, Arena& arena);
size_t thread_arena_size(const pb::core_entry& core, const pb::nsr_thread_entry* ext);
size_t process_arena_size(const pb::core_entry& core, const pb::nsr_task_entry& ext);

}  // namespace nsr
