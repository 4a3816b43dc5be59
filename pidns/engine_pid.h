// The engine's own process id inside the new pid namespace.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/ids.h"
#include "pidns/image_ids.h"

namespace nsr {

/// First id of a run that no image uses, looked for from the highest numbers downwards, so that the engine (and, in the
/// rest of the run, its helper threads) never holds an id the tree needs. pid_max: content of
/// /proc/sys/kernel/pid_max inside the new namespace (exclusive; each namespace has its own from Linux 6.14 on).
/// run: how many consecutive ids are wanted; when there is no such run, a single free id is taken.
/// Id 1 is never chosen. Nothing when every id is used.
std::optional<NsPid> choose_engine_pid(const ImageIds& used, int32_t pid_max, int32_t run = 64);

}  // namespace nsr
