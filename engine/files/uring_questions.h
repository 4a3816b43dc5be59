// What a ring of io_uring(7) answers about itself. No question changes anything in it.
#pragma once

#include <cstdint>
#include <optional>

namespace nsr {

/// IORING_SETUP_R_DISABLED, not enabled yet.
bool is_disabled(int fd);
/// IORING_SETUP_IOPOLL (5.11). Of a ring that is idle; one that is full of completions counts as not polled.
bool is_polled(int fd, bool full);
/// IORING_SETUP_SINGLE_ISSUER, which IORING_SETUP_DEFER_TASKRUN needs. Not to be asked of a disabled ring.
bool is_of_one_thread(int fd);
/// IORING_REGISTER_RESTRICTIONS, in force or still to come into force.
bool is_restricted(int fd);
/// A group of buffers that the kernel chooses from: a ring of them (IORING_REGISTER_PBUF_RING) or a list
/// (IORING_OP_PROVIDE_BUFFERS). Nothing before Linux 6.8, or when only another thread may ask. Programs number groups
/// from 0 or down from the last: the many between are not asked for.
std::optional<uint32_t> group_of_buffers(int fd);

}  // namespace nsr
