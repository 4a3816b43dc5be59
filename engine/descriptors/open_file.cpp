#include "engine/descriptors/open_file.h"

#include <fcntl.h>

#include <cerrno>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

void take_fdinfo(OpenFile& file) {
  Scanner text(file.fdinfo);
  while (const auto line = text.line()) {
    Scanner s(*line);
    if (s.literal("pos:")) file.pos = s.blanks().number().value_or(0);
    if (s.literal("mnt_id:")) file.mnt_id = static_cast<int>(s.blanks().integer().value_or(-1));
    if (s.literal("flags:")) {
      const auto flags = static_cast<uint32_t>(s.blanks().number(8).value_or(0));
      file.cloexec = (flags & O_CLOEXEC) != 0;
      file.flags = flags & ~static_cast<uint32_t>(O_CLOEXEC);
    }
  }
}

}  // namespace

std::string OpenFile::describe() const {
  return fd < 0 ? format("pid %d %s", pid.value, link.c_str()) : format("pid %d fd %d %s", pid.value, fd, link.c_str());
}

std::optional<OpenFile> look_at(HostPid pid, NsPid nspid, int fd) {
  OpenFile file;
  file.pid = pid;
  file.nspid = nspid;
  file.fd = fd;
  file.proc_path = format("/proc/%d/fd/%d", pid.value, fd);
  const auto link = read_link(file.proc_path);
  if (!link) {
    if (errno == ENOENT || errno == ESRCH) return {};
    throw_errno(Failure::target, file.proc_path, "reading the link", errno);
  }
  file.link = *link;
  if (stat(file.proc_path.c_str(), &file.st) != 0) throw_errno(Failure::target, file.describe(), "stat", errno);
  const auto fdinfo = read_file(format("/proc/%d/fdinfo/%d", pid.value, fd));
  if (!fdinfo) throw_errno(Failure::target, file.describe(), "reading its fdinfo", errno);
  file.fdinfo = *fdinfo;
  take_fdinfo(file);
  return file;
}

}  // namespace nsr
