#include "ns-launcher/pidfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"

namespace nsr::launcher {
namespace {

[[noreturn]] void refuse_existing(const std::string& path) {
  throw Error(Failure::io, "pid file " + path, "exists already", "remove it or name another one");
}

}  // namespace

Pidfiles::~Pidfiles() {
  for (const std::string& path : written_) ::unlink(path.c_str());
}

std::string Pidfiles::path_of(const std::string& name) const { return name[0] == '/' ? name : directory_ + "/" + name; }

void Pidfiles::require_absent(const std::string& name) const {
  if (name.empty()) return;
  struct stat st;
  if (::lstat(path_of(name).c_str(), &st) == 0) refuse_existing(path_of(name));
}

void Pidfiles::write(const std::string& name, int pid) {
  if (name.empty()) return;
  const std::string path = path_of(name);
  const std::string temporary = path + format(".%d.new", ::getpid());
  const std::string digits = format("%d", pid);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    throw_errno(Failure::io, "pid file " + path, "cannot be created", errno, "name a writable directory with -W");
  bool good = write_exact(fd.get(), digits.data(), digits.size());
  // Not rename(): it would replace a file. A link is as atomic and fails when the name is taken.
  good = good && ::link(temporary.c_str(), path.c_str()) == 0;
  int error = errno;
  ::unlink(temporary.c_str());
  if (!good && error == EEXIST) refuse_existing(path);
  if (!good) throw_errno(Failure::io, "pid file " + path, "cannot be written", error);
  written_.push_back(path);
}

}  // namespace nsr::launcher
