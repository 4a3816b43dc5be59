// /proc/PID/fdinfo/FD (proc_pid_fdinfo(5)): the common part and one parser a kind. All take the whole text of the file
// and throw Error(environment) when a line that the kind must have is absent or malformed; lines they do not know are
// skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/procfs/locks.h"

namespace nsr::procfs {

struct Fdinfo {
  int64_t pos = 0;
  uint32_t flags = 0;  ///< open flags; O_CLOEXEC tells of the descriptor, the rest of the open file
  int32_t mnt_id = 0;
  std::optional<uint64_t> ino;  ///< since 5.14
  std::vector<FileLock> locks;  ///< POSIX locks only if this task owns them
  bool operator==(const Fdinfo&) const = default;
};
Fdinfo parse_fdinfo(std::string_view text);

struct EventfdInfo {
  uint64_t count = 0;
  std::optional<int32_t> id;      ///< since 5.2
  std::optional<bool> semaphore;  ///< since 6.5; older kernels do not tell
};
EventfdInfo parse_eventfd(std::string_view text);

struct EpollTarget {
  int32_t tfd =
      0;  ///< number at the time of EPOLL_CTL_ADD: may since be another file, compare ino and sdev or use kcmp
  uint32_t events = 0;
  uint64_t data = 0;
  std::optional<int64_t> pos;  ///< pos, ino and sdev since 4.13
  uint64_t ino = 0;
  uint32_t sdev = 0;  ///< kernel's own encoding: major << 20 | minor
};
std::vector<EpollTarget> parse_epoll(std::string_view text);

/// Mask of the signals it accepts, bit n-1 = signal n.
uint64_t parse_signalfd(std::string_view text);

struct TimerfdInfo {
  int32_t clockid = 0;
  uint64_t ticks = 0;                      ///< expirations not yet read
  uint32_t settime_flags = 0;              ///< TFD_TIMER_*
  uint64_t value_sec = 0, value_nsec = 0;  ///< time left
  uint64_t interval_sec = 0, interval_nsec = 0;
};
TimerfdInfo parse_timerfd(std::string_view text);

/// A file handle as name_to_handle_at(2) makes it.
struct FileHandle {
  uint32_t type = 0;
  std::string bytes;
};

struct InotifyWatch {
  int32_t wd = 0;
  uint64_t ino = 0;
  uint32_t sdev = 0;  ///< kernel's own encoding: major << 20 | minor
  uint32_t mask = 0, ignored_mask = 0;
  std::optional<FileHandle> handle;  ///< absent without CONFIG_EXPORTFS or for a filesystem that cannot encode one
};
std::vector<InotifyWatch> parse_inotify(std::string_view text);

struct FanotifyMark {
  enum class Kind { inode, mount, filesystem, mount_namespace };
  Kind kind = Kind::inode;
  uint64_t ino = 0;     ///< inode marks
  uint32_t sdev = 0;    ///< inode and filesystem marks
  int32_t mnt_id = 0;   ///< mount marks
  uint32_t mnt_ns = 0;  ///< mount namespace marks (6.14): inode of the namespace
  uint32_t mflags = 0, mask = 0, ignored_mask = 0;
  std::optional<FileHandle> handle;
};
struct FanotifyInfo {
  uint32_t flags = 0, event_flags = 0;  ///< arguments of fanotify_init(2)
  std::vector<FanotifyMark> marks;
};
FanotifyInfo parse_fanotify(std::string_view text);

struct PidfdInfo {
  int32_t pid = 0;  ///< -1: the process is gone; 0: not in the namespace of /proc
  std::vector<int32_t> ns_pid;
};
PidfdInfo parse_pidfd(std::string_view text);

/// Name of the interface of /dev/net/tun; empty while none is attached.
std::string parse_tun(std::string_view text);
/// Index of the pty of /dev/ptmx; no value where the kernel does not tell (before 4.?? "tty-index").
std::optional<uint32_t> parse_ptmx(std::string_view text);
/// Number of descriptors in flight in a unix socket's queue ("scm_fds", 5.7); no value when not told.
std::optional<uint32_t> parse_scm_fds(std::string_view text);

struct BpfMapInfo {
  uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0, id = 0;
  uint64_t extra = 0, memlock = 0;
  bool frozen = false;
  std::optional<uint32_t> owner_prog_type;
};
BpfMapInfo parse_bpf_map(std::string_view text);
struct BpfProgInfo {
  uint32_t type = 0, id = 0;
  bool jited = false;
  std::string tag;  ///< hex, as printed
  uint64_t memlock = 0;
};
BpfProgInfo parse_bpf_prog(std::string_view text);

struct UserfaultfdInfo {
  uint64_t pending = 0, total = 0, api = 0, features = 0;
};
UserfaultfdInfo parse_userfaultfd(std::string_view text);

}  // namespace nsr::procfs
