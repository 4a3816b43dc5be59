#include "engine/base/interruption.h"

#include <string>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : kSignals) sigaddset(&set, s);
  return set;
}

}  // namespace

HeldInterruption::HeldInterruption() {
  sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

HeldInterruption::~HeldInterruption() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void check_interruption() {
  sigset_t pending;
  ::sigpending(&pending);
  for (int s : kSignals)
    if (sigismember(&pending, s))
      throw Error(Failure::target, "the operation", format("interrupted by signal %d", s),
                  "every task runs on as before");
}

}  // namespace nsr
