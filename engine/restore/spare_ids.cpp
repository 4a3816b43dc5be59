#include "engine/restore/spare_ids.h"

#include <unistd.h>

#include <cstdlib>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {

SpareIds::SpareIds(const ImageSet& set)
    : next_(std::atoi(read_file("/proc/sys/kernel/pid_max").value_or("32768").c_str())) {
  for (const ImageTask& t : set.tasks) {
    for (NsPid id : {t.pgid, t.sid}) used_.insert(id);
    for (const ImageThread& th : t.threads) used_.insert(th.tid);
  }
}

NsPid SpareIds::operator()() {
  while (--next_ > 1)
    if (!used_.count(NsPid(next_)) && ::access(format("/proc/%d", next_).c_str(), F_OK)) return NsPid(next_);
  throw Error(Failure::environment, "restore", "there is no free process id left");
}

}  // namespace nsr
