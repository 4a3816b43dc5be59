// A descriptor handed to another process over a socket (SCM_RIGHTS, unix(7)).
#pragma once

#include "engine/base/unique_fd.h"

namespace nsr {

/// Sends a duplicate of fd with one byte of data. False with errno on failure.
[[nodiscard]] bool send_fd(int socket, int fd);
/// What has been sent, close-on-exec; does not wait. Empty when nothing is there.
UniqueFd receive_fd(int socket);

}  // namespace nsr
