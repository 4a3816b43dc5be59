// Statistics of a dump or restore for people (--display-stats).
#pragma once

#include <string>

namespace nsr {

namespace pb {
class stats_entry;
}

/// One line a figure: times in microseconds, pages of 4096 bytes.
std::string stats_text(const pb::stats_entry& stats);

}  // namespace nsr
