#include "engine/trace/cgroup_freezer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"

namespace nsr {
namespace {

const Logger log("freeze");

constexpr const FreezeFile& kV1 = kFreezeFiles[0];

std::string read_text(int dir, const char* name) { return read_file_at(dir, name).value_or(""); }

/// Asked to stand still, by itself: its tasks may still be on their way.
bool is_set(int dir, const FreezeFile& file) {
  return read_text(dir, &file == &kV1 ? "freezer.self_freezing" : file.name).starts_with("1");
}

void collect_members(int dir, std::set<int>& members) {
  const std::string text = read_text(dir, "cgroup.procs");  // a line each
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) members.insert(std::atoi(text.c_str() + at));
  for (const std::string& child : child_directories(dir))
    if (UniqueFd fd{::openat(dir, child.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)})
      collect_members(fd.get(), members);
}

/// v2 tells of the change (POLLPRI); v1 only moves on when it is read.
void wait_for_change(int dir, const FreezeFile& file, const Deadline& deadline) {
  constexpr int kPatience = 100, kNextLook = 1;  // milliseconds
  if (&file == &kV1) {
    ::poll(nullptr, 0, kNextLook);
    return;
  }
  UniqueFd events(::openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC));
  pollfd p{events.get(), POLLPRI, 0};
  char text[256];
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left()).count();
  // a change between this open and the look before it would not be told: hence the limit
  if (::read(events.get(), text, sizeof text) > 0)
    ::poll(&p, 1, static_cast<int>(std::clamp<long>(left, 1, kPatience)));
}

}  // namespace

const FreezeFile* freeze_file(int dir) {
  for (const FreezeFile& file : kFreezeFiles)
    if (::faccessat(dir, file.name, F_OK, 0) == 0) return &file;
  return nullptr;
}

bool set_frozen(int dir, bool frozen) {
  const FreezeFile* file = freeze_file(dir);
  if (!file) return false;
  const char* text = frozen ? file->frozen : file->thawed;
  UniqueFd fd(::openat(dir, file->name, O_WRONLY | O_CLOEXEC));
  return fd && write_exact(fd.get(), text, std::strlen(text));
}

bool is_frozen(int dir) {
  return read_text(dir, kV1.name).starts_with(kV1.frozen) ||
         read_text(dir, "cgroup.events").find("frozen 1") != std::string::npos;
}

CgroupFreezer::CgroupFreezer(UniqueFd dir, std::string path)
    : dir_(std::move(dir)), path_(std::move(path)), file_(freeze_file(dir_.get())) {
  if (!file_)
    throw Error(Failure::environment, path_, "it is no cgroup that can be frozen",
                "name a cgroup of the v1 freezer hierarchy or of v2, but not the topmost one");
  found_frozen_ = is_set(dir_.get(), *file_);
  watch_ = std::make_unique<DeathWatch>("freezing a cgroup", [this] { set_frozen(dir_.get(), found_frozen_); });
}

CgroupFreezer::~CgroupFreezer() {
  try {
    put_back();
  } catch (const Error& e) {
    log.error("%s", e.what());
  }
}

void CgroupFreezer::set(bool frozen) {
  if (!set_frozen(dir_.get(), frozen))
    throw_errno(Failure::environment, path_, frozen ? "it cannot be frozen" : "it cannot be thawed", errno);
}

void CgroupFreezer::freeze(const Deadline& deadline) {
  if (!found_frozen_) set(true);
  while (!is_frozen(dir_.get())) {
    if (deadline.limited() && deadline.left().count() <= 0)
      throw Error(Failure::timeout, path_, "its tasks did not freeze within --timeout",
                  "give it longer with --timeout, or leave out --freeze-cgroup");
    wait_for_change(dir_.get(), *file_, deadline);
  }
}

void CgroupFreezer::thaw() {
  UniqueFd above(::openat(dir_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (; above && freeze_file(above.get());
       above = UniqueFd(::openat(above.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
    if (is_set(above.get(), *file_))
      throw Error(Failure::environment, path_, "a cgroup above it is frozen",
                  "thaw that, or name it with --freeze-cgroup");
  set(false);
}

void CgroupFreezer::put_back() {
  if (!watch_) return;
  set(found_frozen_);
  watch_->done();
  watch_.reset();
}

void CgroupFreezer::check_member(HostPid pid) {
  if (members_.empty()) collect_members(dir_.get(), members_);
  if (!members_.count(pid.value))
    throw Error(Failure::target, format("pid %d", pid.value), "it is not in the cgroup " + path_,
                "name a cgroup that holds the whole tree, or leave out --freeze-cgroup");
}

}  // namespace nsr
