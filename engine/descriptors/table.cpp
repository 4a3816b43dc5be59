#include "engine/descriptors/table.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/procfs/fdinfo.h"
#include "engine/procfs/reader.h"

namespace nsr {

std::vector<OpenFile> read_descriptors(HostPid pid, NsPid nspid) {
  procfs::ProcDir dir(pid);
  std::vector<OpenFile> out;
  for (int fd : dir.numbers("fd")) {
    OpenFile f;
    f.pid = pid;
    f.nspid = nspid;
    f.fd = fd;
    std::string name = format("fd/%d", fd);
    f.proc_path = format("/proc/%d/fd/%d", pid.value, fd);
    f.link = dir.link(name);
    if (::fstatat(dir.fd(), name.c_str(), &f.st, 0)) throw_errno(Failure::target, f.describe(), "stat failed", errno);
    f.fdinfo = dir.read(format("fdinfo/%d", fd));
    procfs::Fdinfo common = procfs::parse_fdinfo(f.fdinfo);
    f.pos = static_cast<uint64_t>(common.pos);
    f.flags = common.flags & ~static_cast<uint32_t>(O_CLOEXEC);
    f.cloexec = (common.flags & O_CLOEXEC) != 0;
    f.mnt_id = common.mnt_id;
    out.push_back(std::move(f));
  }
  return out;
}

int raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t most = std::strtoull(read_file("/proc/sys/fs/nr_open").value_or("0").c_str(), nullptr, 10);
  const rlimit raised{most, most};
  if (most > limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) return static_cast<int>(most);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(limit.rlim_cur);
}

OpenFile linked_file(HostPid pid, NsPid nspid, const char* name, uint32_t flags) {
  OpenFile f;
  f.pid = pid;
  f.nspid = nspid;
  f.proc_path = format("/proc/%d/%s", pid.value, name);
  f.flags = flags;
  procfs::ProcDir dir(pid);
  f.link = dir.link(name);
  if (::fstatat(dir.fd(), name, &f.st, 0)) throw_errno(Failure::target, f.describe(), "stat failed", errno);
  return f;
}

bool KcmpGroups::Less::operator()(const Member& a, const Member& b) const {
  long r = ::syscall(SYS_kcmp, a.pid.value, b.pid.value, type, a.index, b.index);
  if (r < 0)
    throw_errno(Failure::environment, format("pid %d and pid %d", a.pid.value, b.pid.value), "kcmp failed", errno,
                "the kernel needs CONFIG_KCMP");
  if (r > 2) return a.pid != b.pid ? a.pid < b.pid : a.index < b.index;  // unequal, order unknown
  return r == 1;
}

}  // namespace nsr
