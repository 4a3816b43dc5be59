#include "engine/base/side_work.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

using namespace nsr;

TEST_CASE("base: side work does each item once") {
  for (size_t count : {0u, 1u, 7u, 48u, 5000u}) {
    std::vector<int> done(count);
    SideWork work(count, [&](size_t i) { done[i]++; });
    work.finish();
    work.finish();
    CHECK(std::accumulate(done.begin(), done.end(), size_t{0}) == count);
    CHECK(std::set<int>(done.begin(), done.end()).size() <= 1);
  }
}

TEST_CASE("base: side work tells of a failure and leaves the rest") {
  std::atomic<size_t> done{0};
  SideWork work(100000, [&](size_t i) {
    if (i == 70) throw std::runtime_error("item 70");
    done++;
  });
  CHECK_THROWS_WITH(work.finish(), "item 70");
  CHECK(done < 100000);
}

TEST_CASE("base: side work that nobody finishes ends with its owner") {
  std::atomic<size_t> done{0};
  {
    SideWork work(1000, [&](size_t) { done++; });
  }
  const size_t then = done;
  CHECK(then <= 1000);
  CHECK(done == then);
}
