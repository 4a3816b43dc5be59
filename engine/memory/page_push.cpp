#include "engine/memory/page_push.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/error.h"
#include "engine/base/unique_fd.h"
#include "engine/memory/mapped_image.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

constexpr uint64_t kChunk = 4 << 20;
constexpr size_t kMaxIov = 256;        // of 1024 at most: enough, and several threads get some
constexpr int kMadvPopulateRead = 22;  // Linux 5.14

std::string object_of(HostPid pid) { return format("pid %d", pid.value); }

[[noreturn]] void fail_filling(HostPid pid, uint64_t at) {
  throw_errno(Failure::environment, object_of(pid), format("filling %llx failed", static_cast<unsigned long long>(at)),
              errno);
}

/// Where a load comes from, present.
std::byte* source_of(const PageLoad& l, const MappedImage& image, HostPid pid) {
  std::byte* from = image.at(l.file_offset, l.bytes);
  if (!from)
    throw Error(Failure::image, object_of(pid), "its pages image is shorter than its pagemap says",
                "the pages image is truncated: dump the tree again");
  // a source that is not there would be copied the slow way, page by page
  ::madvise(from, l.bytes, kMadvPopulateRead);
  return from;
}

/// One task's memory, open for UFFDIO_COPY.
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
    std::byte* from = source_of(l, image, job_.pid);
    for (uint64_t done = 0; done < l.bytes;) {
      uffdio_copy c{};
      c.dst = l.vaddr + done;
      c.src = reinterpret_cast<uint64_t>(from) + done;
      c.len = l.bytes - done;
      int r = ::ioctl(uffd_.get(), UFFDIO_COPY, &c);
      if (c.copy > 0) done += static_cast<uint64_t>(c.copy);
      if (r && c.copy <= 0 && errno != EAGAIN) fail_filling(job_.pid, c.dst);
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

/// Loads of at most this many bytes and pieces: what one thread takes at a time.
struct Chunk {
  size_t job;
  std::vector<PageLoad> loads;
};

std::vector<Chunk> cut(const std::vector<PushJob>& jobs, std::vector<PageLoad> PushJob::*list) {
  std::vector<Chunk> out;
  for (size_t i = 0; i < jobs.size(); i++) {
    uint64_t room = 0;
    for (const PageLoad& l : jobs[i].*list)
      for (uint64_t at = 0, n; at < l.bytes; at += n) {
        if (room == 0 || out.back().loads.size() == kMaxIov) {
          out.push_back({i, {}});
          room = kChunk;
        }
        n = std::min(room, l.bytes - at);
        out.back().loads.push_back({l.vaddr + at, n, l.file_offset + at, l.fd});
        room -= n;
      }
  }
  return out;
}

/// The pages images of all jobs as memory.
class Sources {
 public:
  explicit Sources(const std::vector<PushJob>& jobs) {
    for (const PushJob& job : jobs)
      for (const auto* list : {&job.copies, &job.written, &job.forced})
        for (const PageLoad& l : *list) images_.try_emplace(l.fd, l.fd);
  }
  const MappedImage& of(const PageLoad& l) const { return images_.at(l.fd); }

 private:
  std::map<int, MappedImage> images_;
};

/// One process_vm_writev for all pieces of a chunk; a call ends early at what is not there.
void write_chunk(const Chunk& chunk, HostPid pid, const Sources& sources) {
  std::vector<iovec> local, remote;
  for (const PageLoad& l : chunk.loads) {
    local.push_back({source_of(l, sources.of(l), pid), l.bytes});
    remote.push_back({reinterpret_cast<void*>(l.vaddr), l.bytes});
  }
  for (size_t i = 0; i < local.size();) {
    ssize_t n = ::process_vm_writev(pid.value, &local[i], local.size() - i, &remote[i], remote.size() - i, 0);
    if (n <= 0) fail_filling(pid, reinterpret_cast<uint64_t>(remote[i].iov_base));
    for (auto done = static_cast<size_t>(n); done > 0;) {
      size_t part = std::min(done, local[i].iov_len);
      for (iovec* v : {&local[i], &remote[i]}) {
        v->iov_base = static_cast<std::byte*>(v->iov_base) + part;
        v->iov_len -= part;
      }
      if (local[i].iov_len == 0) i++;
      done -= part;
    }
  }
}

template <class Work>
void run_all(const std::vector<Chunk>& chunks, const Work& work) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  auto loop = [&] {
    try {
      for (size_t i; (i = next.fetch_add(1)) < chunks.size();) work(chunks[i]);
    } catch (...) {
      std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = chunks.size();
    }
  };
  std::vector<std::thread> helpers;
  size_t threads = std::min<size_t>({chunks.size(), std::thread::hardware_concurrency(), 8});
  for (size_t i = 1; i < threads; i++) helpers.emplace_back(loop);
  loop();
  for (auto& t : helpers) t.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

bool can_copy_pages() {
  UniqueFd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  return static_cast<bool>(fd);
}

void push_pages(const std::vector<PushJob>& jobs) {
  Sources sources(jobs);
  std::vector<std::optional<Target>> targets(jobs.size());
  for (size_t i = 0; i < jobs.size(); i++)
    if (!jobs[i].copies.empty()) targets[i].emplace(jobs[i]);
  run_all(cut(jobs, &PushJob::copies), [&](const Chunk& chunk) {
    for (const PageLoad& l : chunk.loads) targets[chunk.job]->push(l, sources.of(l));
  });
  for (const auto& t : targets)
    if (t) t->finish();
  // in memory that is still registered, a write would wait for us
  run_all(cut(jobs, &PushJob::written), [&](const Chunk& chunk) { write_chunk(chunk, jobs[chunk.job].pid, sources); });
  for (const PushJob& job : jobs)
    for (const PageLoad& l : job.forced)
      force_write(job.pid, RemoteAddr(l.vaddr), source_of(l, sources.of(l), job.pid), l.bytes);
}

}  // namespace nsr
