#include "engine/base/awake_cpus.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "engine/base/log.h"

namespace nsr {

AwakeCpus::AwakeCpus() : request_(::open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)) {
  static const Logger log("engine");
  const int32_t microseconds = 0;
  if (!request_ || ::write(request_.get(), &microseconds, sizeof microseconds) != sizeof microseconds)
    log.debug("CPUs may sleep meanwhile: /dev/cpu_dma_latency: error %d", errno);
}

}  // namespace nsr
