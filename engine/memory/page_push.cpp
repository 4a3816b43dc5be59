#include "engine/memory/page_push.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "engine/base/error.h"
#include "engine/base/unique_fd.h"
#include "engine/memory/mapped_image.h"

namespace nsr {
namespace {

constexpr uint64_t kChunk = 4 << 20;
constexpr int kMadvPopulateRead = 22;  // Linux 5.14

std::string object_of(HostPid pid) { return format("pid %d", pid.value); }

/// One task's memory, open for pushing.
class Target {
 public:
  explicit Target(const PushJob& job) : job_(job) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, job.pid.value, 0)));
    if (pidfd) uffd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), job.uffd, 0)));
    if (!uffd_) throw_errno(Failure::environment, object_of(job.pid), "taking its userfaultfd failed", errno);
    uffdio_api api{};
    api.api = UFFD_API;
    if (::ioctl(uffd_.get(), UFFDIO_API, &api))
      throw_errno(Failure::environment, object_of(job.pid), "UFFDIO_API failed", errno);
    for (const PageRange& r : job.mappings) {
      uffdio_register reg{};
      reg.range = {r.start, r.end - r.start};
      reg.mode = UFFDIO_REGISTER_MODE_MISSING;
      if (::ioctl(uffd_.get(), UFFDIO_REGISTER, &reg))
        throw_errno(Failure::environment, object_of(job.pid),
                    format("UFFDIO_REGISTER of %llx failed", static_cast<unsigned long long>(r.start)), errno);
    }
  }
  Target(Target&& o) noexcept = default;

  void push(const PageLoad& l, const MappedImage& image) const {
    std::byte* from = image.at(l.file_offset, l.bytes);
    if (!from)
      throw Error(Failure::image, object_of(job_.pid), "its pages image is shorter than its pagemap says",
                  "the pages image is truncated: dump the tree again");
    // a source that is not there would be copied the slow way, page by page
    ::madvise(from, l.bytes, kMadvPopulateRead);
    for (uint64_t done = 0; done < l.bytes;) {
      uffdio_copy c{};
      c.dst = l.vaddr + done;
      c.src = reinterpret_cast<uint64_t>(from) + done;
      c.len = l.bytes - done;
      int r = ::ioctl(uffd_.get(), UFFDIO_COPY, &c);
      if (c.copy > 0) done += static_cast<uint64_t>(c.copy);
      if (r && c.copy <= 0 && errno != EAGAIN)
        throw_errno(Failure::environment, object_of(job_.pid),
                    format("filling %llx failed", static_cast<unsigned long long>(c.dst)), errno);
    }
  }

  void finish() const {
    for (const PageRange& r : job_.mappings) {
      uffdio_range range{r.start, r.end - r.start};
      if (::ioctl(uffd_.get(), UFFDIO_UNREGISTER, &range))
        throw_errno(Failure::environment, object_of(job_.pid), "UFFDIO_UNREGISTER failed", errno);
    }
  }

 private:
  const PushJob& job_;
  UniqueFd uffd_;
};

struct Chunk {
  size_t target;
  PageLoad load;
  const MappedImage* image;
};

void run_all(const std::vector<Target>& targets, const std::vector<Chunk>& chunks) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  auto work = [&] {
    try {
      for (size_t i; (i = next.fetch_add(1)) < chunks.size();)
        targets[chunks[i].target].push(chunks[i].load, *chunks[i].image);
    } catch (...) {
      std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = chunks.size();
    }
  };
  std::vector<std::thread> helpers;
  size_t threads = std::min<size_t>({chunks.size(), std::thread::hardware_concurrency(), 8});
  for (size_t i = 1; i < threads; i++) helpers.emplace_back(work);
  work();
  for (auto& t : helpers) t.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

bool can_push_pages() {
  UniqueFd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  return static_cast<bool>(fd);
}

void push_pages(const std::vector<PushJob>& jobs) {
  std::vector<Target> targets;
  std::vector<Chunk> chunks;
  std::map<int, MappedImage> images;
  for (const PushJob& job : jobs) {
    targets.emplace_back(job);
    for (const PageLoad& l : job.loads) {
      const MappedImage& image = images.try_emplace(l.fd, l.fd).first->second;
      for (uint64_t at = 0; at < l.bytes; at += kChunk)
        chunks.push_back(
            {targets.size() - 1, {l.vaddr + at, std::min(kChunk, l.bytes - at), l.file_offset + at, l.fd}, &image});
    }
  }
  run_all(targets, chunks);
  for (const Target& t : targets) t.finish();
}

}  // namespace nsr
