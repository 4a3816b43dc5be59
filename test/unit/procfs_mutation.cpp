// Feeds every parser thousands of damaged texts: each must give a value or an Error, never anything else.
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/procfs/auxv.h"
#include "engine/procfs/cgroup.h"
#include "engine/procfs/fdinfo.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/io_uring_info.h"
#include "engine/procfs/limits.h"
#include "engine/procfs/links.h"
#include "engine/procfs/smaps.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/procfs/syscall.h"
#include "engine/procfs/timers.h"
#include "test/unit/samples_fdinfo.h"
#include "test/unit/samples_maps.h"
#include "test/unit/samples_misc.h"
#include "test/unit/samples_status.h"

using namespace nsr;
using namespace nsr::procfs;

namespace {

/// Deterministic numbers (splitmix64), so that a failure comes again.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return n == 0 ? 0 : next() % n; }

 private:
  uint64_t state_;
};

constexpr std::string_view kBits[] = {"\n",
                                      " ",
                                      "\t",
                                      ":",
                                      "-",
                                      "/",
                                      "0",
                                      "18446744073709551616",
                                      "-9223372036854775809",
                                      "4294967296",
                                      "ffffffffffffffffff",
                                      "(",
                                      ")",
                                      "(deleted)",
                                      "EOF",
                                      "kB",
                                      "0x",
                                      "\xff",
                                      "->",
                                      "unlimited",
                                      "\\012",
                                      "\\",
                                      "[",
                                      "]",
                                      "pid.",
                                      ","};

void mutate(std::string& text, Dice& dice) {
  size_t at = dice.below(text.size() + 1);
  size_t n = dice.below(40);
  switch (dice.below(6)) {
    case 0:
      text.erase(at, n);
      break;
    case 1:
      text.insert(at, kBits[dice.below(std::size(kBits))]);
      break;
    case 2:
      text.resize(at);
      break;
    case 3:
      if (at < text.size()) text[at] = static_cast<char>(dice.next());
      break;
    case 4:
      text.insert(at, text.substr(dice.below(text.size() + 1), n));
      break;
    default:
      text.replace(at, n, kBits[dice.below(std::size(kBits))]);
  }
}

struct Outcome {
  int values = 0, errors = 0;
};

/// Parses `rounds` damaged copies of the sample, each damaged one to four times.
template <class Parse>
Outcome storm(std::string_view sample, Parse parse, int rounds = 10000) {
  Dice dice(sample.size() * 2654435761u + 1);
  Outcome outcome;
  for (int i = 0; i < rounds; ++i) {
    std::string text(sample.substr(0, 2200));
    for (size_t k = 1 + dice.below(4); k > 0; --k) mutate(text, dice);
    try {
      parse(std::string_view(text));
      ++outcome.values;
    } catch (const Error& e) {
      CHECK(e.code() == Failure::environment);
      ++outcome.errors;
    }
  }
  return outcome;
}

}  // namespace

#define STORM(sample, call)                                                                         \
  do {                                                                                              \
    INFO(#call);                                                                                    \
    Outcome outcome = storm(sample, [](std::string_view text) { [[maybe_unused]] auto v = call; }); \
    CHECK(outcome.values + outcome.errors == 10000);                                                \
    CHECK(outcome.values > 0);                                                                      \
    CHECK(outcome.errors > 0);                                                                      \
  } while (false)

TEST_CASE("procfs parsers survive damaged maps, smaps, status, stat") {
  STORM(samples::maps, parse_maps(text));
  STORM(samples::smaps, parse_smaps(text));
  STORM(samples::status, parse_status(text));
  STORM(samples::stat, parse_stat(text));
}

TEST_CASE("procfs parsers survive damaged fdinfo") {
  STORM(samples::locked, parse_fdinfo(text));
  STORM(samples::locks, parse_locks(text));
  STORM(samples::eventfd, parse_eventfd(text));
  STORM(samples::epoll, parse_epoll(text));
  STORM(samples::signalfd, parse_signalfd(text));
  STORM(samples::timerfd, parse_timerfd(text));
  STORM(samples::inotify, parse_inotify(text));
  STORM(samples::fanotify, parse_fanotify(text));
  STORM(samples::pidfd, parse_pidfd(text));
  STORM(samples::tun, parse_tun(text));
  STORM(samples::ptmx, parse_ptmx(text));
  STORM(samples::unix_socket, parse_scm_fds(text));
  STORM(samples::bpf_map, parse_bpf_map(text));
  STORM(samples::bpf_prog, parse_bpf_prog(text));
  STORM(samples::io_uring, parse_ring(text));
  STORM(samples::userfaultfd, parse_userfaultfd(text));
}

TEST_CASE("procfs parsers survive damaged small files") {
  STORM(samples::timers, parse_timers(text));
  STORM(samples::limits, parse_limits(text));
  STORM("9:name=systemd:/a\n0::/user.slice/x (deleted)\n", parse_cgroup(text));
  STORM("12 345 6789 ", parse_children(text));
  STORM("202 0x7f0010 0x80 0x0 0x7ffe20 0x0 0xffffffff 0x7ffe10 0x7f12a9\n", parse_current_call(text));
  STORM("         0     100000      65536\n     65536       1000          1\n", parse_id_map(text));
  STORM("monotonic   -86400   0\nboottime   7   999999999\n", parse_timens_offsets(text));
  STORM("32000\t1024000000\t500\t32000\n", parse_numbers("sem", text));
  STORM(std::string_view("\x06\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32), parse_auxv(text));
  storm("socket:[4711]", [](std::string_view text) { return parse_numbered_link(text); });
  storm("anon_inode:[eventfd]", [](std::string_view text) { return parse_anon_inode(text); });
}
