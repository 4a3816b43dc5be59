#include "engine/images/stats_text.h"

#include "engine/base/error.h"
#include "stats.pb.h"

namespace nsr {
namespace {

std::string line(const char* what, uint64_t value, const char* unit) {
  return format("%-24s %llu%s\n", what, static_cast<unsigned long long>(value), unit);
}

}  // namespace

std::string stats_text(const pb::stats_entry& stats) {
  std::string out;
  if (stats.has_dump()) {
    const pb::dump_stats_entry& d = stats.dump();
    out += line("freezing time", d.freezing_time(), " us") + line("frozen time", d.frozen_time(), " us");
    out += line("memory scan time", d.memdump_time(), " us") + line("memory write time", d.memwrite_time(), " us");
    out += line("pages scanned", d.pages_scanned(), "") + line("pages written", d.pages_written(), "");
    out +=
        line("shared pages scanned", d.shpages_scanned(), "") + line("shared pages written", d.shpages_written(), "");
  }
  if (stats.has_restore()) {
    const pb::restore_stats_entry& r = stats.restore();
    out += line("forking time", r.forking_time(), " us") + line("restore time", r.restore_time(), " us");
    out += line("pages compared", r.pages_compared(), "") + line("pages shared with parent", r.pages_skipped_cow(), "");
    out += line("pages restored", r.pages_restored(), "");
  }
  return out;
}

}  // namespace nsr
