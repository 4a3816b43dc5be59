#include <catch2/catch.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/procfs/io_uring_info.h"
#include "test/unit/samples_fdinfo.h"

namespace nsr::procfs {

TEST_CASE("procfs fdinfo: what is registered with an io_uring") {
  CHECK_FALSE(parse_ring(samples::eventfd));
  std::string used(samples::io_uring);
  used.replace(used.find("UserFiles:\t0"), 12, "UserFiles:\t3\n    0: /dev/null\n    1: <none>\n    2: /a\\040b");
  used.replace(used.find("UserBufs:\t0\nPollList:"), 21, "UserBufs:\t1\n    0: 0x5000/100\nPollList:\n  op=1");
  RingInfo ring = parse_ring(used).value_or(RingInfo());
  CHECK(ring.sq_mask == 7);
  CHECK(ring.cq_mask == 15);
  CHECK(ring.sq_thread == -1);
  CHECK(ring.files == std::vector<std::optional<std::string>>{"/dev/null", std::nullopt, "/a\\040b"});
  CHECK(ring.buffers.at(0) == std::pair<uint64_t, uint64_t>(0x5000, 100));
  CHECK(ring.polls);
  CHECK_FALSE(ring.personalities);
  // as up to Linux 6.17
  used.replace(used.find("PollList:"), 0, "Personalities:\n    1\n\tUid:\t\t0\t\t0\t\t0\t\t0\n");
  CHECK(parse_ring(used).value_or(RingInfo()).personalities);
  CHECK_FALSE(ring.overflow);
  CHECK_THROWS_AS(parse_ring("UserFiles:\t1\n    5: /dev/null\n"), Error);
}

}  // namespace nsr::procfs
