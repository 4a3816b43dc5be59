#include "engine/trace/program.h"

#include "engine/base/error.h"

namespace nsr {

RemoteAddr Arena::alloc(size_t n, size_t align) {
  size_t at = (used_ + align - 1) & ~(align - 1);
  if (at + n > size_)
    throw Error(Failure::internal, "remote program area", format("%zu bytes do not fit into %zu", at + n, size_));
  used_ = at + n;
  std::memset(local_ + at, 0, n);
  return RemoteAddr(remote_.value + at);
}

RemoteAddr Arena::put(const void* bytes, size_t n, size_t align) {
  RemoteAddr at = alloc(n, align);
  if (n > 0) std::memcpy(local(at), bytes, n);
  return at;
}

RemoteAddr Arena::put_string(std::string_view text) {
  RemoteAddr at = alloc(text.size() + 1, 8);
  std::memcpy(local(at), text.data(), text.size());
  return at;
}

Program::Index Program::add(int control, long nr, std::initializer_list<uint64_t> args) {
  Record r{};
  r.nr = static_cast<int32_t>(nr);
  r.control = control;
  r.result = kNotRun;
  size_t k = 0;
  for (uint64_t a : args) r.arg[k++] = a;
  records_.push_back(r);
  return records_.size() - 1;
}

void Program::feed(Index from, Index to, unsigned arg) {
  // relative to the result slot of `from`: argument k of a record lies 48-8k bytes before its own result slot
  int32_t distance = static_cast<int32_t>((to - from) * sizeof(Record)) - 48 + static_cast<int32_t>(8 * arg);
  records_[from].control = (records_[from].control & 7) | distance;
}

void Program::point(Index from, unsigned arg, Index of, unsigned of_arg) {
  pointers_.push_back({from, of, arg, of_arg});
}

void Program::note(std::string text) { notes_.emplace_back(records_.size() - 1, std::move(text)); }

const std::string& Program::note_of(Index i) const {
  static const std::string none;
  for (const auto& [at, text] : notes_)
    if (at == i) return text;
  return none;
}

RemoteAddr Program::store(Arena& arena, int32_t end, uint64_t operand) const {
  RemoteAddr at = arena.alloc((records_.size() + 1) * sizeof(Record), 64);
  std::memcpy(arena.local(at), records_.data(), records_.size() * sizeof(Record));
  for (const Pointer& p : pointers_)
    arena.local<Record>(at)[p.from].arg[p.arg] =
        at.value + p.of * sizeof(Record) + offsetof(Record, arg) + 8 * p.of_arg;
  Record& last = arena.local<Record>(at)[records_.size()];
  last.nr = end;
  last.arg[0] = operand;
  return at;
}

RemoteAddr Program::store(Arena& arena) const { return store(arena, kEndProgram, 0); }

RemoteAddr Program::store_then(Arena& arena, RemoteAddr next) const { return store(arena, kJump, next.value); }

RemoteAddr Program::store_leaving(Arena& arena) const { return store(arena, kLeave, 0); }

void Program::leave_at(const Arena& arena, RemoteAddr stored, RemoteAddr code) const {
  arena.local<Record>(stored)[records_.size()].arg[0] = code.value;
}

}  // namespace nsr
