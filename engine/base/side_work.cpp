#include "engine/base/side_work.h"

#include <utility>

namespace nsr {
namespace {

constexpr size_t kWorthAThread = 48;  // making one takes as long as a few dozen system calls
constexpr size_t kAtOnce = 8;

}  // namespace

SideWork::SideWork(size_t count, std::function<void(size_t)> work) : count_(count), work_(std::move(work)) {
  if (count_ >= kWorthAThread && std::thread::hardware_concurrency() > 1) side_ = std::thread([this] { take_items(); });
}

SideWork::~SideWork() {
  next_ = count_;
  if (side_.joinable()) side_.join();
}

void SideWork::take_items() noexcept {
  for (;;) {
    const size_t first = next_.fetch_add(kAtOnce);
    for (size_t i = first; i < first + kAtOnce; i++) {
      if (i >= count_) return;
      try {
        work_(i);
      } catch (...) {
        std::lock_guard lock(failure_mutex_);
        if (!failure_) failure_ = std::current_exception();
        next_ = count_;
        return;
      }
    }
  }
}

void SideWork::finish() {
  take_items();
  if (side_.joinable()) side_.join();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace nsr
