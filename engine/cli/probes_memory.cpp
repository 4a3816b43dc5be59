#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"
#include "engine/base/unique_fd.h"
#include "engine/cli/probes.h"

namespace nsr::probe {
namespace {

/// linux/fs.h of 6.7 and later; older headers do not have it.
struct PageScan {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, all_of, any_of, wanted;
};
struct PageRegion {
  uint64_t start, end, categories;
};
constexpr unsigned long page_scan_ioctl = _IOWR('f', 16, PageScan);
constexpr uint64_t page_is_present = 1 << 3;
constexpr uint64_t page_is_guard = 1 << 8;  // Linux 6.15
constexpr int madv_guard_install = 102;     // Linux 6.13

/// Number of regions with one of these categories in a page, or -1.
int scan(void* page, uint64_t categories) {
  UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  PageRegion region{};
  PageScan arg{};
  arg.size = sizeof arg;
  arg.start = reinterpret_cast<uint64_t>(page);
  arg.end = arg.start + static_cast<uint64_t>(::getpagesize());
  arg.vec = reinterpret_cast<uint64_t>(&region);
  arg.vec_len = 1;
  arg.any_of = arg.wanted = categories;
  return ::ioctl(pagemap.get(), page_scan_ioctl, &arg);
}

char* fresh_page() {
  void* page =
      ::mmap(nullptr, static_cast<size_t>(::getpagesize()), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? nullptr : static_cast<char*>(page);
}

bool is_soft_dirty(void* page) {
  UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  uint64_t entry = 0;
  off_t at = static_cast<off_t>(reinterpret_cast<uintptr_t>(page) / static_cast<uintptr_t>(::getpagesize()) * 8);
  return pread_exact(pagemap.get(), &entry, sizeof entry, at) && (entry >> 55 & 1);
}

bool has_uffd(uint64_t features) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = features;
  return fd && ::ioctl(fd.get(), UFFDIO_API, &api) == 0;
}

/// Every process has a vDSO already: a kernel that knows the request answers EEXIST, another one EINVAL.
bool knows_vdso_request([[maybe_unused]] int request) {
#ifdef SYS_arch_prctl
  return ::syscall(SYS_arch_prctl, request, 0) == -1 && errno == EEXIST;
#else
  return false;
#endif
}

}  // namespace

bool in_child(bool (*f)()) {
  pid_t pid = ::fork();
  if (pid < 0) throw_errno(Failure::environment, "check", "a child for the probe cannot be made", errno);
  if (pid == 0) {
    bool good = false;
    try {
      good = f();
    } catch (...) {
      good = false;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool soft_dirty() {
  return in_child([] {
    char* page = fresh_page();
    if (!page) return false;
    *page = 1;
    if (!write_file("/proc/self/clear_refs", "4") || is_soft_dirty(page)) return false;
    *page = 2;
    return is_soft_dirty(page);
  });
}

bool aio_remap() {
  return in_child([] {
    aio_context_t context = 0;
    if (::syscall(SYS_io_setup, 1, &context) != 0) return false;
    auto maps = read_file("/proc/self/maps");
    if (!maps) return false;
    Scanner lines(*maps);
    while (auto line = lines.line()) {
      if (line->find("[aio]") == line->npos) continue;
      Scanner fields(*line);
      auto start = fields.number(16);
      if (!start || !fields.literal("-")) return false;
      auto end = fields.number(16);
      if (!end) return false;
      void* wanted = ::mmap(nullptr, *end - *start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      void* moved = ::mremap(reinterpret_cast<void*>(*start), *end - *start, *end - *start,
                             MREMAP_MAYMOVE | MREMAP_FIXED, wanted);
      if (moved == MAP_FAILED) return false;
      io_event event;
      timespec now{};
      return ::syscall(SYS_io_getevents, moved, 0, 1, &event, &now) == 0;
    }
    return false;
  });
}

bool uffd() { return has_uffd(0); }
bool uffd_noncoop() {
  return has_uffd(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
                  UFFD_FEATURE_EVENT_UNMAP);
}
bool map_vdso() { return knows_vdso_request(0x2003); }     // ARCH_MAP_VDSO_64
bool map_vdso_32() { return knows_vdso_request(0x2002); }  // ARCH_MAP_VDSO_32

bool memfd_hugetlb() { return UniqueFd(::memfd_create("probe", MFD_CLOEXEC | MFD_HUGETLB)).get() >= 0; }

bool pagemap_scan() {
  return in_child([] {
    char* page = fresh_page();
    if (page) *page = 1;
    return page && scan(page, page_is_present) == 1;
  });
}

bool pagemap_scan_guard_pages() {
  return in_child([] {
    char* page = fresh_page();
    return page && ::madvise(page, static_cast<size_t>(::getpagesize()), madv_guard_install) == 0 &&
           scan(page, page_is_guard) == 1;
  });
}

bool map_files() {
  char* page = static_cast<char*>(
      ::mmap(nullptr, static_cast<size_t>(::getpagesize()), PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (page == MAP_FAILED) return false;
  std::string name = format("/proc/self/map_files/%lx-%lx", reinterpret_cast<uintptr_t>(page),
                            reinterpret_cast<uintptr_t>(page) + static_cast<uintptr_t>(::getpagesize()));
  UniqueFd object(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  ::munmap(page, static_cast<size_t>(::getpagesize()));
  return static_cast<bool>(object);
}

}  // namespace nsr::probe
