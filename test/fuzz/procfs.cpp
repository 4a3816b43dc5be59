// libFuzzer harness of the procfs parsers: the first byte chooses one, the rest is its text. Only Error may come out.
//   CXX=clang++ CC=clang cmake -S . -B build-fuzz -G Ninja && cmake --build build-fuzz --target fuzz_procfs
//   build-fuzz/bin/fuzz_procfs -max_total_time=60
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"
#include "engine/procfs/auxv.h"
#include "engine/procfs/cgroup.h"
#include "engine/procfs/fdinfo.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/io_uring_info.h"
#include "engine/procfs/limits.h"
#include "engine/procfs/links.h"
#include "engine/procfs/smaps.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/procfs/syscall.h"
#include "engine/procfs/timers.h"

using namespace nsr::procfs;

namespace {

using Parser = void (*)(std::string_view);
constexpr Parser kParsers[] = {
    [](std::string_view t) { (void)parse_maps(t); },
    [](std::string_view t) { (void)parse_smaps(t); },
    [](std::string_view t) { (void)parse_status(t); },
    [](std::string_view t) { (void)parse_stat(t); },
    [](std::string_view t) { (void)parse_timers(t); },
    [](std::string_view t) { (void)parse_limits(t); },
    [](std::string_view t) { (void)parse_cgroup(t); },
    [](std::string_view t) { (void)parse_children(t); },
    [](std::string_view t) { (void)parse_current_call(t); },
    [](std::string_view t) { (void)parse_id_map(t); },
    [](std::string_view t) { (void)parse_timens_offsets(t); },
    [](std::string_view t) { (void)parse_numbers("sysctl", t); },
    [](std::string_view t) { (void)parse_auxv(t); },
    [](std::string_view t) { (void)parse_locks(t); },
    [](std::string_view t) { (void)parse_fdinfo(t); },
    [](std::string_view t) { (void)parse_eventfd(t); },
    [](std::string_view t) { (void)parse_epoll(t); },
    [](std::string_view t) { (void)parse_signalfd(t); },
    [](std::string_view t) { (void)parse_timerfd(t); },
    [](std::string_view t) { (void)parse_inotify(t); },
    [](std::string_view t) { (void)parse_fanotify(t); },
    [](std::string_view t) { (void)parse_pidfd(t); },
    [](std::string_view t) { (void)parse_tun(t); },
    [](std::string_view t) { (void)parse_ptmx(t); },
    [](std::string_view t) { (void)parse_scm_fds(t); },
    [](std::string_view t) { (void)parse_bpf_map(t); },
    [](std::string_view t) { (void)parse_bpf_prog(t); },
    [](std::string_view t) { (void)parse_ring(t); },
    [](std::string_view t) { (void)parse_userfaultfd(t); },
    [](std::string_view t) { (void)parse_numbered_link(t); },
    [](std::string_view t) { (void)parse_anon_inode(t); },
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    kParsers[data[0] % std::size(kParsers)](text);
  } catch (const nsr::Error&) {
    // The only other outcome that is allowed.
  }
  return 0;
}
