#include "engine/trace/task_program.h"

#include <linux/sched.h>

namespace nsr {

RemoteAddr store_for_clone(const Program& program, Arena& arena) {
  arena.alloc(sizeof(Record), 64);  // the child stores its clone result into the slot in front of its program
  return program.store(arena);
}

RemoteAddr clone_arguments(Arena& arena, RemoteAddr program, NsPid pid, uint64_t flags, int exit_signal,
                           RemoteAddr child_tid, bool from_stub) {
  clone_args a{};
  static_assert(sizeof a == kCloneArgsSize);
  a.flags = flags;
  a.exit_signal = static_cast<uint64_t>(exit_signal);
  a.child_tid = child_tid.value;
  if (pid.value) {
    a.set_tid = arena.put(pid.value).value;
    a.set_tid_size = 1;
  }
  a.stack = program.value - sizeof(Record);
  a.stack_size = from_stub ? sizeof(Record) - sizeof(int64_t) : sizeof(Record);
  return arena.put(a);
}

}  // namespace nsr
