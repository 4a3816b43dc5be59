#include "pidns/engine_pid.h"

namespace nsr {
namespace {

std::optional<NsPid> highest_free_run(const ImageIds& used, int32_t pid_max, int32_t run) {
  int32_t top = pid_max - 1;  // highest id of the gap being looked at
  for (auto id = used.ids.rbegin(); id != used.ids.rend(); ++id) {
    if (*id > top) continue;
    if (top - *id >= run) return NsPid(top - run + 1);
    top = *id - 1;
  }
  if (top - 1 >= run) return NsPid(top - run + 1);
  return std::nullopt;
}

}  // namespace

std::optional<NsPid> choose_engine_pid(const ImageIds& used, int32_t pid_max, int32_t run) {
  if (auto first = highest_free_run(used, pid_max, run)) return first;
  return highest_free_run(used, pid_max, 1);
}

}  // namespace nsr
