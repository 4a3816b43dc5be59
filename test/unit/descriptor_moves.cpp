// Descriptor moves against a model: whatever the numbers, exactly the wanted files stand at the wanted numbers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "engine/descriptors/moves.h"

using namespace nsr;

namespace {

/// Runs the steps on a table number -> file.
std::map<int, int> run(std::map<int, int> table, const std::vector<DescriptorStep>& steps) {
  for (const auto& s : steps) {
    if (s.source < 0) {
      for (auto it = table.lower_bound(s.target); it != table.end() && (s.last < 0 || it->first <= s.last);)
        it = table.erase(it);
    } else {
      REQUIRE(table.count(s.source) == 1);
      table[s.target] = table[s.source];
    }
  }
  return table;
}

}  // namespace

TEST_CASE("moves: overlaps, circles and shared sources come out right") {
  std::mt19937 random(4711);
  for (int round = 0; round < 3000; round++) {
    int n = 1 + static_cast<int>(random() % 12);
    std::map<int, int> inherited;
    for (int i = 0; i < n + 3; i++) inherited[static_cast<int>(random() % 20)] = i;
    std::vector<int> sources;
    for (auto [number, file] : inherited) sources.push_back(number);
    std::map<int, int> want;
    std::vector<DescriptorMove> moves;
    for (int i = 0; i < n; i++) {
      int target = static_cast<int>(random() % 20), source = sources[random() % sources.size()];
      if (!want.emplace(target, inherited[source]).second) continue;
      moves.push_back({source, target, false});
    }
    REQUIRE(run(inherited, plan_moves(moves, 1000)) == want);
  }
}

TEST_CASE("moves: circles in a table without a free number, in which a file stands twice") {
  std::mt19937 random(4712);
  for (int round = 0; round < 1000; round++) {
    const int n = 3 + static_cast<int>(random() % 10);
    std::map<int, int> inherited, want;
    std::vector<int> sources;
    for (int i = 0; i < n; i++) {
      inherited[i] = i;
      sources.push_back(i);
    }
    sources[random() % sources.size()] = sources[random() % sources.size()];
    std::shuffle(sources.begin(), sources.end(), random);
    if (std::set<int>(sources.begin(), sources.end()).size() == sources.size()) continue;
    std::vector<DescriptorMove> moves;
    for (int target = 0; target < n; target++) {
      want[target] = sources[static_cast<size_t>(target)];
      moves.push_back({sources[static_cast<size_t>(target)], target, false});
    }
    const auto steps = plan_moves(moves, -1);
    REQUIRE(run(inherited, steps) == want);
    for (const auto& s : steps) REQUIRE((s.source < 0 || s.target < n));
  }
}

TEST_CASE("moves: nothing wanted closes everything") { REQUIRE(run({{0, 1}, {7, 2}}, plan_moves({}, 100)).empty()); }
