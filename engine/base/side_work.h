// Work on many like items in which a second thread of the engine takes part.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace nsr {

/// Calls work(i) once for each i below count, in any order and from two threads at a time: a thread of its own begins
/// at once, where the items are many enough to pay for it, and finish() lends it the caller's. What work() touches must
/// be safe for that; the thread has the caller's signal mask.
class SideWork {
 public:
  SideWork(size_t count, std::function<void(size_t)> work);
  /// Waits for the items in work and drops the rest.
  ~SideWork();
  SideWork(const SideWork&) = delete;

  /// Does what is left, waits for all and throws what the first failed item threw.
  void finish();

 private:
  void take_items() noexcept;

  const size_t count_;
  const std::function<void(size_t)> work_;
  std::atomic<size_t> next_{0};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::thread side_;
};

}  // namespace nsr
