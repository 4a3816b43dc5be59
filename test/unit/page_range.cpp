#include "engine/memory/page_range.h"

#include <catch2/catch.hpp>

using namespace nsr;

TEST_CASE("memory: page ranges: intersection, difference, union") {
  PageRanges a{{0, 10}, {20, 30}, {40, 50}}, b{{5, 25}, {28, 29}, {45, 60}};
  CHECK(intersect(a, b) == PageRanges{{5, 10}, {20, 25}, {28, 29}, {45, 50}});
  CHECK(subtract(a, b) == PageRanges{{0, 5}, {25, 28}, {29, 30}, {40, 45}});
  CHECK(subtract(b, a) == PageRanges{{10, 20}, {50, 60}});
  CHECK(unite(a, b) == PageRanges{{0, 30}, {40, 60}});
  CHECK(unite({{0, 1}}, {{1, 2}}) == PageRanges{{0, 2}});
  CHECK(subtract(a, {}) == a);
  CHECK(subtract(a, {{0, 100}}).empty());
  CHECK(intersect(a, {}).empty());
  CHECK(overlap(a, b));
  CHECK_FALSE(overlap({{10, 20}, {30, 40}}, a));
  CHECK(overlap({{29, 31}}, a));
  CHECK_FALSE(overlap({}, a));
}
