// A descriptor handed to another process over a socket (SCM_RIGHTS, unix(7)).
#pragma once

#include <cstddef>
#include <string>

#include "engine/base/unique_fd.h"

namespace nsr {

/// Sends a duplicate of fd with one byte of data. False with errno on failure.
[[nodiscard]] bool send_fd(int socket, int fd);
/// What has been sent, close-on-exec; does not wait. Empty when nothing is there.
UniqueFd receive_fd(int socket);

/// Sends bytes, and fd with the first of them when it is not negative; waits for room. False with errno on failure.
[[nodiscard]] bool send_with_fd(int socket, const std::string& bytes, int fd);
/// Waits for exactly n bytes of a stream; fd becomes what came with the first of them, or stays as it is. False at the
/// end of the stream or with errno on failure.
[[nodiscard]] bool receive_with_fd(int socket, void* to, size_t n, UniqueFd& fd);

}  // namespace nsr
