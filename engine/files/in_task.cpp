#include "engine/files/in_task.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "engine/base/error.h"

namespace nsr {

int lowest_free(const std::vector<pb::fdinfo_entry>& table) {
  std::set<uint32_t> used;
  for (const auto& f : table) used.insert(f.fd());
  uint32_t free = 0;
  while (used.count(free)) ++free;
  return static_cast<int>(free);
}

void InTaskOpens::provide(uint32_t file_id, const std::string& what, RestoreContext& ctx, Open open) {
  UniqueFd placeholder(::open("/", O_PATH | O_CLOEXEC));
  if (!placeholder) throw_errno(Failure::environment, what, "/ cannot be opened", errno);
  opens_[file_id] = {what, std::move(open), 0};
  ctx.provide(file_id, std::move(placeholder));
}

void InTaskOpens::emit(TaskStage& stage) const {
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
    at->second.open(p, stage.arena);
    p.note(format("fd %u: %s", f.fd(), at->second.what.c_str()));
    if (at->second.pos != 0) {
      p.call(SYS_lseek, spare, at->second.pos, SEEK_SET);
      p.note(format("fd %u: position of %s", f.fd(), at->second.what.c_str()));
    }
    p.call(SYS_dup3, spare, f.fd(), flags);
    p.note(format("fd %u: %s at its number", f.fd(), at->second.what.c_str()));
    p.call(SYS_close, spare);
    p.note(format("fd %d: spare number", spare));
  }
}

}  // namespace nsr
