#include "engine/files/common.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/scanner.h"
#include "engine/descriptors/options.h"

namespace nsr {

std::optional<std::string_view> fdinfo_value(std::string_view fdinfo, std::string_view key) {
  Scanner text(fdinfo);
  while (auto line = text.line()) {
    Scanner rest(*line);
    if (rest.literal(key) && rest.literal(":")) return rest.blanks().rest();
  }
  return std::nullopt;
}

bool is_anon_inode(const OpenFile& file, std::string_view name) {
  Scanner link(file.link);
  return link.literal("anon_inode:") && link.rest() == name;
}

std::string image_object(const char* kind, uint32_t id) { return format("file id %u (%s)", id, kind); }

int reopen_flags(uint32_t flags) {
  // a file made by O_TMPFILE keeps both of its bits; its other one, O_DIRECTORY, is wrong for the file itself
  constexpr uint32_t kTmpfile = O_TMPFILE & ~O_DIRECTORY;
  if (flags & kTmpfile) flags &= ~static_cast<uint32_t>(O_TMPFILE);
  return static_cast<int>(flags & ~static_cast<uint32_t>(O_CREAT | O_EXCL | O_TRUNC | FASYNC)) | O_NOCTTY;
}

uint32_t kept_flags(const OpenFile& file, int borrowed) {
  int flags = file.fd >= 0 ? ::fcntl(borrowed, F_GETFL) : 0;
  return file.flags | (flags > 0 ? static_cast<uint32_t>(flags & O_CLOEXEC) : 0);
}

UniqueFd close_on_exec(int fd) {
  if (fd >= 0) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(fd);
}

void set_status_flags(int fd, uint32_t flags, const std::string& object) {
  const int settable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
  int now = ::fcntl(fd, F_GETFL);
  if (now < 0) throw_errno(Failure::environment, object, "F_GETFL failed", errno);
  int wanted = (now & ~settable) | static_cast<int>(flags & settable);
  if (wanted != now && ::fcntl(fd, F_SETFL, wanted) < 0)
    throw_errno(Failure::environment, object, format("flags 0%o cannot be set", flags), errno);
}

UniqueFd reopen(int fd, int flags, const std::string& object) {
  UniqueFd copy = close_on_exec(::open(format("/proc/self/fd/%d", fd).c_str(), flags));
  if (!copy) throw_errno(Failure::environment, object, "cannot be opened again through /proc/self/fd", errno);
  return copy;
}

UniqueFd duplicate(int fd, const std::string& object) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw_errno(Failure::environment, object, "cannot be duplicated", errno);
  return copy;
}

pb::fown_entry no_owner() {
  pb::fown_entry none;
  none.set_uid(0);
  none.set_euid(0);
  none.set_signum(0);
  none.set_pid_type(0);
  none.set_pid(0);
  return none;
}

bool is_external(const FileOptions& options, const std::string& text) {
  return std::any_of(options.external.begin(), options.external.end(), [&](const std::string& e) {
    return e == text || (e.size() > text.size() && e.compare(0, text.size(), text) == 0 && e[text.size()] == ':');
  });
}

std::string external_key(const OpenFile& file) {
  return format("file[%x:%lx]", static_cast<unsigned>(file.mnt_id), static_cast<unsigned long>(file.st.st_ino));
}

std::optional<std::string> external_value(const FileOptions& options, const std::string& text) {
  for (auto e = options.external.rbegin(); e != options.external.rend(); ++e)
    if (e->starts_with(text + ":")) return e->substr(text.size() + 1);
  return std::nullopt;
}

int inherited(const FileOptions& options, const std::string& key) {
  auto found = options.inherit_fd.find(key);
  return found == options.inherit_fd.end() ? -1 : found->second;
}

}  // namespace nsr
