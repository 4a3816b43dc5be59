// Descriptors that come by message, against a model of a table that gives the lowest free number.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "engine/descriptors/delivery.h"

using namespace nsr;

namespace {

struct Entry {
  int file;
  bool cloexec;
  bool operator==(const Entry& o) const { return file == o.file && cloexec == o.cloexec; }
};
using Table = std::map<int, Entry>;

int take(Table& table, int file) {
  int number = 0;
  while (table.count(number)) number++;
  table[number] = {file, true};
  return number;
}

void run(Table& table, const std::vector<DeliveryBatch>& batches) {
  int next = 0;
  for (const DeliveryBatch& b : batches) {
    int last = -1;
    for (size_t i = 0; i < b.count; i++) last = take(table, next++);
    REQUIRE(last == b.last);
    for (const DescriptorStep& s : b.then) {
      if (s.source < 0) {
        REQUIRE(table.erase(s.target) == 1);
      } else {
        REQUIRE(table.count(s.source) == 1);
        table[s.target] = {table[s.source].file, s.cloexec};
      }
    }
  }
}

}  // namespace

TEST_CASE("delivery: files come to their numbers whatever else is open") {
  std::mt19937 random(4711);
  for (int round = 0; round < 300; round++) {
    int range = 1 + static_cast<int>(random() % 900);
    Table table, want;
    std::vector<int> taken;
    std::vector<DeliveryTarget> targets;
    for (int number = 0, file = 0; number < range; number++) {
      unsigned what = random() % 4;
      if (what == 0) taken.push_back(number), want[number] = table[number] = {-number, false};
      if (what > 1) {
        targets.push_back({number, random() % 2 == 0});
        want[number] = {file++, targets.back().cloexec};
      }
    }
    run(table, plan_delivery(targets, taken));
    CHECK(table == want);
  }
}

TEST_CASE("delivery: a dense table needs no moves") {
  std::vector<DeliveryTarget> targets;
  for (int number = 0; number < 1000; number++) targets.push_back({number, true});
  auto batches = plan_delivery(targets, {1000});
  REQUIRE(batches.size() == 4);
  for (const DeliveryBatch& b : batches) CHECK(b.then.empty());
}
