#include "engine/procfs/locks.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "locks";

FileLock::Kind parse_kind(LineParser& p) {
  std::string_view word = p.word();
  if (word == "POSIX") return FileLock::Kind::posix;
  if (word == "FLOCK") return FileLock::Kind::flock;
  if (word == "OFDLCK") return FileLock::Kind::ofd;
  if (word == "LEASE") return FileLock::Kind::lease;
  if (word == "DELEG") return FileLock::Kind::deleg;
  if (word == "ACCESS") return FileLock::Kind::access;
  p.fail("unknown kind of lock");
}

void parse_state(LineParser& p, FileLock& lock) {
  std::string_view word = p.word();
  if (word == "ADVISORY" || word == "MSNFS" || word == "ACTIVE" || word == "*NOINODE*") return;
  if (word == "MANDATORY")
    lock.mandatory = true;
  else if (word == "BREAKING")
    lock.state = FileLock::State::breaking;
  else if (word == "BREAKER")
    lock.state = FileLock::State::breaker;
  else
    p.fail("unknown state of lock");
}

FileLock::Type parse_type(LineParser& p) {
  std::string_view word = p.word();
  if (word == "READ") return FileLock::Type::read;
  if (word == "WRITE") return FileLock::Type::write;
  if (word == "UNLCK") return FileLock::Type::unlock;
  p.fail("unknown type of lock");
}

void parse_file(LineParser& p, FileLock& lock) {
  p.at_end();
  if (p.accept("<none>:0")) return;
  lock.dev_major = p.hex<uint32_t>();
  p.expect(":");
  lock.dev_minor = p.hex<uint32_t>();
  p.expect(":");
  lock.inode = p.number();
}

}  // namespace

FileLock parse_lock(std::string_view line) {
  LineParser p(kKind, line);
  FileLock lock;
  lock.id = p.number();
  p.expect(":");
  p.at_end();
  lock.waiting = p.accept("->");
  lock.kind = parse_kind(p);
  parse_state(p, lock);
  lock.type = parse_type(p);
  lock.pid = p.number<int32_t>();
  parse_file(p, lock);
  lock.start = p.number();
  p.at_end();
  if (!p.accept("EOF")) lock.end = p.number();
  p.end();
  return lock;
}

std::vector<FileLock> parse_locks(std::string_view text) {
  std::vector<FileLock> locks;
  Lines lines(kKind, text);
  while (auto line = lines.next()) locks.push_back(parse_lock(*line));
  return locks;
}

}  // namespace nsr::procfs
