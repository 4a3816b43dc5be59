#include "engine/restore/table_program.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/descriptors/delivery.h"
#include "engine/descriptors/moves.h"

namespace nsr {
namespace {

void emit_step(const DescriptorStep& s, Program& p) {
  if (s.source < 0) {
    p.call(SYS_close_range, s.target, static_cast<unsigned>(s.last), 0);
  } else if (s.source == s.target) {
    p.call(SYS_fcntl, s.target, F_SETFD, s.cloexec ? FD_CLOEXEC : 0);
  } else {
    p.call(SYS_dup3, s.source, s.target, s.cloexec ? O_CLOEXEC : 0);
  }
  p.note(format("descriptor %d", s.target));
}

/// Takes messages of one byte and kMostRights descriptors; the kernel writes back lengths that are right for the next.
RemoteAddr message(Arena& arena) {
  constexpr size_t kControl = CMSG_SPACE(kMostRights * sizeof(int));
  iovec part{reinterpret_cast<void*>(arena.alloc(8).value), 1};
  msghdr m{};
  m.msg_iov = reinterpret_cast<iovec*>(arena.put(part).value);
  m.msg_iovlen = 1;
  m.msg_control = reinterpret_cast<void*>(arena.alloc(kControl).value);
  m.msg_controllen = kControl;
  return arena.put(m);
}

class TableProgram {
 public:
  TableProgram(const std::vector<pb::fdinfo_entry>& table, RestoreFiles& files) : files_(files) {
    for (const pb::fdinfo_entry& e : table) add(e);
    std::sort(targets_.begin(), targets_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  void emit(Program& p, Arena& arena) {
    int socket = -1;
    if (!targets_.empty()) {
      std::vector<uint32_t> ids;
      for (const auto& [number, wanted] : targets_) ids.push_back(wanted.id);
      socket = free_number(false);
      // a full table: what is a duplicate in the end is put over the socket then
      closed_by_duplicate_ = socket >= files_.most_descriptors() && !duplicates_.empty();
      if (closed_by_duplicate_) socket = duplicates_.back().target;
      moves_.push_back({files_.deliver(ids), socket, true});
      numbers_.push_back(socket);
    }
    int spare = free_number(true);
    if (spare >= files_.most_descriptors()) spare = -1;
    for (const DescriptorStep& s : plan_moves(moves_, spare)) emit_step(s, p);
    if (socket >= 0) emit_delivery(socket, p, arena);
    for (const DescriptorStep& s : duplicates_) emit_step(s, p);
  }

 private:
  struct Wanted {
    uint32_t id;
    bool cloexec;
  };

  /// A file that comes by message comes once.
  void add(const pb::fdinfo_entry& e) {
    int number = static_cast<int>(e.fd());
    bool cloexec = (e.flags() & 1) != 0;
    if (files_.is_inherited(e.id())) {
      moves_.push_back({files_.fd_of(e.id()), number, cloexec});
      numbers_.push_back(number);
    } else if (auto [first, fresh] = first_.emplace(e.id(), number); fresh) {
      targets_.push_back({number, {e.id(), cloexec}});
    } else {
      duplicates_.push_back({first->second, number, number, cloexec});
    }
  }

  /// That nothing in the table has, nor, when they still stand, those of the engine that go into it.
  int free_number(bool before_moves) const {
    std::vector<int> taken = numbers_;
    for (const DescriptorMove& m : moves_)
      if (before_moves) taken.push_back(m.source);
    for (const auto& [number, wanted] : targets_) taken.push_back(number);
    for (const DescriptorStep& d : duplicates_) taken.push_back(d.target);
    std::sort(taken.begin(), taken.end());
    int free = 0;
    for (int number : taken)
      if (number == free) free++;
    return free;
  }

  void emit_delivery(int socket, Program& p, Arena& arena) {
    std::vector<DeliveryTarget> targets;
    for (const auto& [number, wanted] : targets_) targets.push_back({number, wanted.cloexec});
    RemoteAddr m = message(arena);
    for (const DeliveryBatch& batch : plan_delivery(targets, numbers_)) {
      p.call(SYS_recvmsg, socket, m, MSG_CMSG_CLOEXEC);
      p.note(format("taking %zu descriptors", batch.count));
      // the kernel drops what finds no room without an error
      p.call(SYS_fcntl, batch.last, F_GETFD);
      p.note(format("taking %zu descriptors: there is no room for all", batch.count));
      for (const DescriptorStep& s : batch.then) emit_step(s, p);
    }
    if (!closed_by_duplicate_) emit_step({-1, socket, socket, false}, p);
  }

  RestoreFiles& files_;
  std::vector<DescriptorMove> moves_;
  std::vector<int> numbers_;  ///< open while files are taken
  std::vector<std::pair<int, Wanted>> targets_;
  std::map<uint32_t, int> first_;
  std::vector<DescriptorStep> duplicates_;
  bool closed_by_duplicate_ = false;
};

}  // namespace

void emit_table(const std::vector<pb::fdinfo_entry>& table, RestoreFiles& files, Program& p, Arena& arena) {
  TableProgram(table, files).emit(p, arena);
}

}  // namespace nsr
