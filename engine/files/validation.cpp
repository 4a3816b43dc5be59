#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/files/build_id.h"
#include "engine/files/named_files.h"

namespace nsr {
namespace {

const Logger log("files");

void check_mode(const struct stat& st, const pb::reg_file_entry& reg, const FileOptions& options) {
  if (!reg.has_mode()) return;
  if ((st.st_mode & S_IFMT) != (reg.mode() & S_IFMT))
    throw Error(Failure::environment, reg.name(),
                format("is of another type now (mode 0%o) than at the dump (mode 0%o)", st.st_mode, reg.mode()));
  if (st.st_mode != reg.mode() && !options.skip_file_rwx_check)
    throw Error(Failure::environment, reg.name(),
                format("has mode 0%o now, but had 0%o at the dump", st.st_mode & 07777, reg.mode() & 07777),
                "set it back or use --skip-file-rwx-check");
}

void check_size(const struct stat& st, const pb::reg_file_entry& reg, const FileOptions& options) {
  if (!reg.has_size() || !S_ISREG(st.st_mode)) return;
  uint64_t now = static_cast<uint64_t>(st.st_size);
  if (now == reg.size()) return;
  if ((reg.flags() & O_APPEND) && now > reg.size()) {
    log.info("%s grew from %llu to %llu bytes: accepted, it is opened O_APPEND", reg.name().c_str(),
             static_cast<unsigned long long>(reg.size()), static_cast<unsigned long long>(now));
    return;
  }
  if (!options.validate_size) {
    log.warn("%s has %llu bytes now and had %llu at the dump: accepted by --file-validation none", reg.name().c_str(),
             static_cast<unsigned long long>(now), static_cast<unsigned long long>(reg.size()));
    return;
  }
  throw Error(Failure::environment, reg.name(),
              format("has %llu bytes now, but had %llu at the dump", static_cast<unsigned long long>(now),
                     static_cast<unsigned long long>(reg.size())),
              "bring it back to that state, or take it as it is with --file-validation none");
}

std::string hex(const std::vector<uint32_t>& words) {
  std::string text;
  for (uint32_t w : words)
    for (int shift = 0; shift < 32; shift += 8) text += format("%02x", (w >> shift) & 0xff);
  return text;
}

void check_build_id(int fd, const pb::reg_file_entry& reg, const FileOptions& options) {
  if (reg.build_id_size() == 0 || !options.validate_build_id) return;
  UniqueFd readable = reopen(fd, O_RDONLY, reg.name());
  std::vector<uint32_t> now = read_build_id(readable.get());
  std::vector<uint32_t> then(reg.build_id().begin(), reg.build_id().end());
  if (now == then) return;
  throw Error(Failure::environment, reg.name(),
              now.empty() ? "has no build id now, but had " + hex(then) + " at the dump"
                          : "has build id " + hex(now) + " now, but had " + hex(then) + " at the dump",
              "install the same build, or compare sizes only with --file-validation filesize");
}

}  // namespace

void validate_file(int fd, const pb::reg_file_entry& reg, const FileOptions& options) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno(Failure::environment, reg.name(), "fstat failed", errno);
  check_mode(st, reg, options);
  check_size(st, reg, options);
  if (S_ISREG(st.st_mode)) check_build_id(fd, reg, options);
}

}  // namespace nsr
