#include "engine/descriptors/mqueue.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

/// One message in the memory that is shared with the process that takes it out.
struct Slot {
  int64_t size;
  uint32_t priority;
};

// The C library has them in terms of names with a slash and does not know descriptors that open(2) gave.
long receive(int queue, char* to, size_t room, uint32_t* priority) {
  return ::syscall(SYS_mq_timedreceive, queue, to, room, priority, nullptr);
}
long send(int queue, const char* bytes, size_t n, uint32_t priority) {
  return ::syscall(SYS_mq_timedsend, queue, bytes, n, priority, nullptr);
}

/// Takes `count` messages out and sends them again in that order, which is the order they had: by priority, then age.
[[noreturn]] void take_and_put_back(int queue, char* slots, size_t stride, long count) {
  long taken = 0;
  for (; taken < count; ++taken) {
    char* at = slots + static_cast<size_t>(taken) * stride;
    Slot slot{};
    slot.size = receive(queue, at + sizeof slot, stride - sizeof slot, &slot.priority);
    if (slot.size < 0) break;
    std::memcpy(at, &slot, sizeof slot);
  }
  bool whole = taken == count;
  for (long i = 0; i < taken; ++i) {
    Slot slot;
    const char* at = slots + static_cast<size_t>(i) * stride;
    std::memcpy(&slot, at, sizeof slot);
    whole = send(queue, at + sizeof slot, static_cast<size_t>(slot.size), slot.priority) == 0 && whole;
  }
  ::_exit(whole ? 0 : 1);
}

void read_messages(int queue, const mq_attr& attr, pb::nsr_mqueue_entry& entry, const std::string& object) {
  // messages of any size up to the limit; on a boundary for the record in front
  const size_t stride = (sizeof(Slot) + static_cast<size_t>(attr.mq_msgsize) + 15) & ~size_t{15};
  const size_t size = stride * static_cast<size_t>(attr.mq_curmsgs);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw_errno(Failure::environment, object, "memory for its messages cannot be mapped", errno);
  char* slots = static_cast<char*>(memory);
  clone_args args{};  // no exit signal: whoever waits for tracees does not see this child
  const long child = ::syscall(SYS_clone3, &args, sizeof args);
  if (child == 0) {
    ::setsid();  // whoever kills the engine's process group does not mean this one
    take_and_put_back(queue, slots, stride, attr.mq_curmsgs);
  }
  int status = -1, failed = errno;
  while (child > 0 && ::waitpid(static_cast<pid_t>(child), &status, __WALL) < 0 && errno == EINTR) {
  }
  for (long i = 0; status == 0 && i < attr.mq_curmsgs; ++i) {
    Slot slot;
    const char* at = slots + static_cast<size_t>(i) * stride;
    std::memcpy(&slot, at, sizeof slot);
    pb::nsr_mqueue_message& m = *entry.add_messages();
    m.set_priority(slot.priority);
    m.set_data(at + sizeof slot, static_cast<size_t>(slot.size));
  }
  ::munmap(memory, size);
  if (child < 0) throw_errno(Failure::environment, object, "a process to read its messages cannot be made", failed);
  if (status != 0) throw Error(Failure::unsupported, object, "its messages cannot be read");
}

}  // namespace

int mqueue_listener(int fd) {
  // "QSIZE:0 NOTIFY:0 SIGNO:0 NOTIFY_PID:77" is what a queue's file shows
  UniqueFd queue(::open(format("/proc/self/fd/%d", fd).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char text[256];
  ssize_t n = queue ? ::pread(queue.get(), text, sizeof text, 0) : -1;
  std::string_view seen(text, n > 0 ? static_cast<size_t>(n) : 0);
  constexpr std::string_view kKey = "NOTIFY_PID:";
  size_t at = seen.find(kKey);
  if (at == std::string_view::npos) return 0;
  return static_cast<int>(Scanner(seen.substr(at + kKey.size())).number().value_or(0));
}

pb::nsr_mqueue_entry look_into_mqueue(int fd, const std::string& object) {
  UniqueFd queue(::open(format("/proc/self/fd/%d", fd).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  struct stat st {};
  mq_attr attr{};
  if (!queue || ::fstat(queue.get(), &st) != 0 || ::syscall(SYS_mq_getsetattr, queue.get(), nullptr, &attr) != 0)
    throw_errno(Failure::unsupported, object, "the queue cannot be looked into", errno);
  pb::nsr_mqueue_entry entry;
  entry.set_maxmsg(static_cast<uint64_t>(attr.mq_maxmsg));
  entry.set_msgsize(static_cast<uint64_t>(attr.mq_msgsize));
  entry.set_uid(st.st_uid);
  entry.set_gid(st.st_gid);
  entry.set_mode(st.st_mode & 07777);
  if (attr.mq_curmsgs == 0) return entry;
  if (mqueue_listener(queue.get()) != 0)
    throw Error(Failure::unsupported, object,
                "it has messages, and somebody waits for a notification (mq_notify): reading the ones would cause the "
                "other");
  read_messages(queue.get(), attr, entry, object);
  return entry;
}

UniqueFd make_mqueue(const pb::nsr_mqueue_entry& entry, const std::string& name) {
  const std::string object = "message queue /" + name;
  mq_attr attr{};
  attr.mq_maxmsg = static_cast<long>(entry.maxmsg());
  attr.mq_msgsize = static_cast<long>(entry.msgsize());
  UniqueFd queue(static_cast<int>(
      ::syscall(SYS_mq_open, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, 0600, &attr)));
  if (!queue)
    throw_errno(Failure::environment, object, "cannot be made", errno,
                errno == EMFILE ? "raise RLIMIT_MSGQUEUE" : "compare it with the limits below /proc/sys/fs/mqueue");
  bool ok = true;
  for (const pb::nsr_mqueue_message& m : entry.messages())
    ok = ok && send(queue.get(), m.data().data(), m.data().size(), m.priority()) == 0;
  ok = ok && ::fchown(queue.get(), entry.uid(), entry.gid()) == 0 && ::fchmod(queue.get(), entry.mode() & 07777) == 0;
  if (!ok) {
    int failed = errno;
    (void)::syscall(SYS_mq_unlink, name.c_str());
    throw_errno(Failure::environment, object, "its messages, owner or mode cannot be set", failed);
  }
  return queue;
}

}  // namespace nsr
