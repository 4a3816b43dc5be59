// clone3(2) for a child that runs in our own memory.
#pragma once

#include <linux/sched.h>

#include <cstddef>

extern "C" {

/// clone3 with CLONE_VM | CLONE_VFORK among the flags and no stack given: the child runs fn(arg) on the caller's stack,
/// below its frame, while the caller waits; it ends by exec or with fn's result as its exit status. Not possible
/// through syscall(3): the child would return into a frame that the parent still needs. Returns the child's pid, or
/// -errno.
long nsr_clone3_vm(const struct clone_args* args, size_t size, int (*fn)(void*), void* arg);
}
