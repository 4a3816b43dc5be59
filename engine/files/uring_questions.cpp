#include "engine/files/uring_questions.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/files/uring_memory.h"

namespace nsr {
namespace {

constexpr unsigned kPbufStatus = 26;  // IORING_REGISTER_PBUF_STATUS, 6.8

/// io_uring_enter(2) that hands over nothing. 0 or the error.
int ask(int fd, unsigned wanted, unsigned flags, const void* argument, size_t size) {
  return ::syscall(SYS_io_uring_enter, fd, 0, wanted, flags, argument, size) < 0 ? errno : 0;
}

/// 0 or the error for a group of buffers that the kernel chooses from: ENOENT when there is none; EINVAL for a list
/// (IORING_OP_PROVIDE_BUFFERS), which has no status, and for everything before Linux 6.8.
int ask_for_group(int fd, uint32_t group) {
  uint32_t status[10] = {group};  // struct io_uring_buf_status
  return ::syscall(SYS_io_uring_register, fd, kPbufStatus, status, 1) < 0 ? errno : 0;
}

bool kernel_tells_groups() {
  UringLayout layout;
  UniqueFd fresh = make_uring(1, 2, 0, layout);
  return fresh && ask_for_group(fresh.get(), 0) == ENOENT;
}

}  // namespace

bool is_disabled(int fd) { return ask(fd, 0, 0, nullptr, 0) == EBADFD; }

bool is_polled(int fd, bool full) {
  // Such a ring, while it is idle, neither waits nor looks at the time limit of a call, and this one is no good. 6.12
  // looks at it last, and so only when there are fewer completions than wanted.
  constexpr unsigned kAll = ~0u;
  io_uring_getevents_arg bad{};
  bad.pad = 1;  // before 6.12 this alone is refused
  bad.ts = 1;
  int error = ask(fd, kAll, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &bad, sizeof bad);
  return (error == 0 && !full) || error == EEXIST;
}

bool is_of_one_thread(int fd) {
  return ::syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, nullptr, 0) < 0 && errno == EEXIST;
}

bool is_restricted(int fd) {
  // in force, it forbids us these harmless questions; before, it can be set only once
  for (unsigned question : {static_cast<unsigned>(IORING_REGISTER_PROBE), kPbufStatus})
    if (::syscall(SYS_io_uring_register, fd, question, nullptr, 0) < 0 && errno == EACCES) return true;
  return ::syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, nullptr, 1) < 0 && errno == EBUSY;
}

std::optional<uint32_t> group_of_buffers(int fd) {
  static const bool told = kernel_tells_groups();
  constexpr uint32_t kGroups = 1 << 16, kFirst = 4096, kLast = 256;
  for (uint32_t group = 0; told && group < kGroups; group += group == kFirst ? kGroups - kFirst - kLast : 1) {
    int error = ask_for_group(fd, group);
    if (error == 0 || error == EINVAL) return group;
    if (error != ENOENT) break;  // only another thread may ask
  }
  return std::nullopt;
}

}  // namespace nsr
