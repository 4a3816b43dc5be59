// A program together with what its results must be, and clone3 records that start other programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/trace/program.h"

namespace nsr {

/// Which bytes a record must have transferred: a short read is no failure to the stub, but one to us.
struct ExpectedResult {
  Program::Index index;
  int64_t value;
};

struct TaskProgram {
  Program calls;
  std::vector<ExpectedResult> expected;

  void expect(Program::Index i, int64_t value) { expected.push_back({i, value}); }
};

/// Stores a program where a clone3 child of a record can fall into it (arch/x86_64/stub.S).
RemoteAddr store_for_clone(const Program& program, Arena& arena);

/// clone3(2) arguments in the arena for a child that runs the program at `program` (made by store_for_clone).
/// from_stub: the parent is a program (its child goes on behind the stub's own syscall instruction); else the parent is
/// the engine through arch::clone_into_stub. pid 0: any.
RemoteAddr clone_arguments(Arena& arena, RemoteAddr program, NsPid pid, uint64_t flags, int exit_signal,
                           RemoteAddr child_tid, bool from_stub);
inline constexpr size_t kCloneArgsSize = 88;

}  // namespace nsr
