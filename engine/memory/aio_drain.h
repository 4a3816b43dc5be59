// Asynchronous I/O (io_submit(2)) that was under way when a task was stopped.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/ids.h"

namespace nsr {

/// Waits until the requests of a stopped task have ended, so that what they read is in its memory and their completions
/// are in its rings (given by address). Only the kernel knows of requests: they are taken as ended when no completion
/// came for 2 ms and no disk of the host is at work, or when none came for 100 ms. Requests that wait for a file to
/// become ready (IOCB_CMD_POLL) are not seen. Gives up with a warning after 5 s of completions.
void wait_for_aio(HostPid pid, const std::vector<uint64_t>& rings);

}  // namespace nsr
