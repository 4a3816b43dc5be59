#include "engine/files/in_task.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr std::string_view kMark("\0nsr-later-", 11);

struct Address {
  sockaddr_un name{};
  socklen_t length = sizeof name;
};

/// A name that no other restore in this network namespace has.
Address fresh_address() {
  Address a;
  unsigned char random[8];
  if (::getrandom(random, sizeof random, 0) != sizeof random)
    throw_errno(Failure::environment, "placeholder", "getrandom failed", errno);
  std::string name(kMark);
  for (unsigned char b : random) name += format("%02x", b);
  a.name.sun_family = AF_UNIX;
  std::memcpy(a.name.sun_path, name.data(), name.size());
  a.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return a;
}

/// A one-byte message with room for one descriptor, which is `fd` when that is one.
RemoteAddr message(Arena& arena, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  auto* head = reinterpret_cast<cmsghdr*>(control);
  if (fd >= 0) {
    head->cmsg_len = CMSG_LEN(sizeof(int));
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  iovec part{reinterpret_cast<void*>(arena.alloc(8).value), 1};
  msghdr m{};
  m.msg_iov = reinterpret_cast<iovec*>(arena.put(part).value);
  m.msg_iovlen = 1;
  m.msg_control = reinterpret_cast<void*>(arena.put(control, sizeof control).value);
  m.msg_controllen = sizeof control;
  return arena.put(m);
}

}  // namespace

int lowest_free(const std::vector<pb::fdinfo_entry>& table) {
  std::set<uint32_t> used;
  for (const auto& f : table) used.insert(f.fd());
  uint32_t free = 0;
  while (used.count(free)) ++free;
  return static_cast<int>(free);
}

bool is_placeholder(int fd) {
  Address a;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&a.name), &a.length) == 0 && a.name.sun_family == AF_UNIX &&
         a.length >= offsetof(sockaddr_un, sun_path) + kMark.size() &&
         std::memcmp(a.name.sun_path, kMark.data(), kMark.size()) == 0;
}

void InTaskOpens::provide(uint32_t file_id, const std::string& what, RestoreContext& ctx, Open open) {
  Address a = fresh_address();
  auto* address = reinterpret_cast<const sockaddr*>(&a.name);
  UniqueFd self(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!self || ::bind(self.get(), address, a.length) != 0 || ::connect(self.get(), address, a.length) != 0)
    throw_errno(Failure::environment, what, "a placeholder for it cannot be made", errno);
  Recipe& recipe = opens_[file_id];
  recipe.what = what;
  recipe.open = std::move(open);
  recipe.tables = tables_.count_with(file_id, ctx);
  ctx.provide(file_id, std::move(self));
}

void InTaskOpens::open_and_send(const Recipe& recipe, uint32_t fd, int spare, TaskStage& stage) {
  Program& p = stage.program;
  recipe.open(p, stage.arena);
  p.note(format("fd %u: %s", fd, recipe.what.c_str()));
  if (recipe.pos != 0) {
    p.call(SYS_lseek, spare, recipe.pos, SEEK_SET);
    p.note(format("fd %u: position of %s", fd, recipe.what.c_str()));
  }
  if (recipe.tables < 2) return;
  RemoteAddr m = message(stage.arena, spare);
  for (size_t i = 1; i < recipe.tables; ++i) {
    p.call(SYS_sendmsg, fd, m, 0);
    p.note(format("fd %u: %s to another process that shares it", fd, recipe.what.c_str()));
  }
}

void InTaskOpens::receive(const Recipe& recipe, uint32_t fd, TaskStage& stage) {
  stage.program.call(SYS_recvmsg, fd, message(stage.arena, -1), MSG_CMSG_CLOEXEC);
  stage.program.note(format("fd %u: %s from the process that opens it", fd, recipe.what.c_str()));
}

void InTaskOpens::emit(TaskStage& stage) {
  if (opens_.empty()) return;
  Program& p = stage.program;
  std::map<uint32_t, uint32_t> done;  // file id -> number in this task
  const int spare = lowest_free(stage.table);
  for (const auto& f : stage.table) {
    auto at = opens_.find(f.id());
    if (at == opens_.end()) continue;
    const int flags = f.flags() & 1 ? O_CLOEXEC : 0;
    auto [first, fresh] = done.emplace(f.id(), f.fd());
    if (!fresh) {
      p.call(SYS_dup3, first->second, f.fd(), flags);
      p.note(format("fd %u: duplicate of fd %u", f.fd(), first->second));
      continue;
    }
    Recipe& recipe = at->second;
    if (!recipe.opener) recipe.opener = stage.pid;
    if (*recipe.opener == stage.pid)
      open_and_send(recipe, f.fd(), spare, stage);
    else
      receive(recipe, f.fd(), stage);
    p.call(SYS_dup3, spare, f.fd(), flags);
    p.note(format("fd %u: %s at its number", f.fd(), recipe.what.c_str()));
    p.call(SYS_close, spare);
    p.note(format("fd %d: spare number", spare));
  }
}

}  // namespace nsr
