#include "engine/memory/smaps_ahead.h"

#include "engine/procfs/reader.h"

namespace nsr {
namespace {
constexpr size_t kThreads = 2;
// To make a thread takes as long as to read so much.
constexpr size_t kFewMappings = 64;
constexpr uint64_t kLittleMemory = 4 << 20;
}  // namespace

SmapsAhead::~SmapsAhead() {
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    queue_.clear();
  }
  more_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void SmapsAhead::start(HostPid pid, size_t mappings, uint64_t resident) {
  const auto read = [pid] {
    return procfs::parse_smaps(procfs::ProcDir(pid).read("smaps"), procfs::SmapsFields::mapping);
  };
  if (mappings < kFewMappings && resident < kLittleMemory) {
    results_.emplace(pid, std::async(std::launch::deferred, read));
    return;
  }
  Reading reading(read);
  results_.emplace(pid, reading.get_future());
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(reading));
  }
  if (threads_.size() < kThreads)
    threads_.emplace_back([this] { work(); });
  else
    more_.notify_one();
}

void SmapsAhead::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    more_.wait(lock, [this] { return ended_ || !queue_.empty(); });
    if (ended_) return;
    Reading reading = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    reading();
    lock.lock();
  }
}

bool SmapsAhead::is_ready(HostPid pid) const {
  return results_.at(pid).wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

std::vector<procfs::SmapsEntry> SmapsAhead::take(HostPid pid) {
  using Clock = std::chrono::steady_clock;
  auto result = results_.extract(pid);
  const auto begin = Clock::now();
  result.mapped().wait();
  waited_ += std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  return result.mapped().get();
}

}  // namespace nsr
