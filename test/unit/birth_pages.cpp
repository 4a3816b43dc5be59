#include "engine/restore/birth_pages.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096, kStart = 0x10000;
constexpr int kPages = 24;

PageRange page(int i) {
  return {kStart + static_cast<uint64_t>(i) * kPage, kStart + static_cast<uint64_t>(i + 1) * kPage};
}
bool has(const PageRanges& list, int i) { return overlap(list, {page(i)}); }

/// A family: each task is made by the one before it in the tree; what it has on a page is a version, 0: nothing.
struct Family {
  ImageSet set;
  TreePlan plan;
  std::vector<std::vector<uint32_t>> versions;  // by task and page

  size_t add(int parent) {
    const size_t n = plan.nodes.size();
    PlanNode& node = plan.nodes.emplace_back();
    node.task = static_cast<int>(n);
    if (parent >= 0) plan.nodes[static_cast<size_t>(parent)].late.push_back(n);
    ImageTask& t = set.tasks.emplace_back();
    t.parent = parent;
    t.mm_ext.set_cow_known(true);
    pb::vma_entry& v = *t.mm.add_vmas();
    v.set_start(kStart);
    v.set_end(page(kPages - 1).end);
    v.set_pgoff(0);
    v.set_shmid(0);
    v.set_prot(PROT_READ | PROT_WRITE);
    v.set_flags(MAP_PRIVATE | MAP_ANONYMOUS);
    v.set_status(kVmaRegular | kVmaAnonPrivate);
    v.set_fd(-1);
    versions.push_back(parent < 0 ? std::vector<uint32_t>(kPages) : versions[static_cast<size_t>(parent)]);
    return n;
  }

  /// Tells the images who has what in common.
  void note() {
    for (size_t t = 0; t < versions.size(); t++)
      for (int i = 0; i < kPages; i++) {
        const uint32_t version = versions[t][static_cast<size_t>(i)];
        if (!version) continue;
        set.tasks[t].pages.push_back({page(i).start, kPage, 0, 0});
        pb::nsr_common_pages& c = *set.tasks[t].mm_ext.add_common();
        c.set_start(page(i).start);
        c.set_end(page(i).end);
        c.set_group(version);
      }
  }
};

/// What a restore does, with a number for each page of memory.
class Simulation {
 public:
  Simulation(const Family& family, const BirthPages& births) : family_(family), births_(births) {}

  void run(size_t n, const std::vector<uint32_t>& of_maker) {
    const BirthPages::Node& node = births_.of(n);
    std::vector<uint32_t> memory(kPages);
    for (int i = 0; i < kPages; i++)
      if (has(node.kept, i) || has(node.passed, i)) memory[static_cast<size_t>(i)] = of_maker[static_cast<size_t>(i)];
    for (size_t c : family_.plan.nodes[n].late) {
      if (!node.provides) {
        run(c, of_maker);
        continue;
      }
      const BirthPages::Step& step = node.steps.at(c);
      for (const BirthPages::Load& l : step.loads)
        for (int i = 0; i < kPages; i++)
          if (has(l.pages, i)) memory[static_cast<size_t>(i)] = load(l.source, i);
      for (int i = 0; i < kPages; i++) REQUIRE(has(step.there, i) == (memory[static_cast<size_t>(i)] != 0));
      run(c, memory);
    }
    for (int i = 0; i < kPages; i++) {
      uint32_t& frame = memory[static_cast<size_t>(i)];
      if (has(node.stale, i)) frame = 0;
      if (has(node.complete, i)) REQUIRE(frame);
      if (!has(node.complete, i)) REQUIRE(!frame);
      if (!frame && version(n, i)) frame = load(n, i);
    }
    memory_[n] = memory;
  }

  uint32_t frame(size_t n, int i) const { return memory_.at(n)[static_cast<size_t>(i)]; }
  uint32_t version(size_t n, int i) const { return family_.versions[n][static_cast<size_t>(i)]; }
  uint32_t content(uint32_t frame) const { return frame ? content_[frame - 1] : 0; }

 private:
  uint32_t load(size_t source, int i) {
    content_.push_back(version(source, i));
    return static_cast<uint32_t>(content_.size());
  }
  const Family& family_;
  const BirthPages& births_;
  std::map<size_t, std::vector<uint32_t>> memory_;
  std::vector<uint32_t> content_;
};

void check(Family& family) {
  family.note();
  CowSharing cow(family.set, {});
  BirthPages::Spaces spaces;
  std::vector<std::vector<PageLoad>> loads(family.set.tasks.size());
  for (size_t t = 0; t < loads.size(); t++) {
    for (const PageRun& r : family.set.tasks[t].pages) loads[t].push_back({r.vaddr, r.bytes, 0, -1});
    spaces.push_back(std::make_unique<AddressSpace>(family.set.tasks[t].mm, family.set.tasks[t].mm_ext, loads[t]));
  }
  BirthPages births(family.plan, cow, spaces);
  Simulation simulation(family, births);
  simulation.run(0, std::vector<uint32_t>(kPages));
  for (int i = 0; i < kPages; i++) {
    std::map<uint32_t, std::set<uint32_t>> frames;
    for (size_t n = 0; n < loads.size(); n++) {
      CHECK(simulation.content(simulation.frame(n, i)) == simulation.version(n, i));
      if (uint32_t version = simulation.version(n, i)) frames[version].insert(simulation.frame(n, i));
    }
    for (const auto& [version, list] : frames) CHECK(list.size() == 1);
  }
}

}  // namespace

TEST_CASE("restore: brothers share what their parent has no more") {
  Family f;
  f.versions.reserve(8);
  f.add(-1);
  for (int i = 0; i < kPages; i++) f.versions[0][static_cast<size_t>(i)] = 1;
  for (int k = 0; k < 3; k++) f.add(0);
  for (int i = 0; i < 8; i++) f.versions[0][static_cast<size_t>(i)] = 2;
  f.versions[2][3] = 3;
  f.versions[2][4] = 0;
  check(f);
}

TEST_CASE("restore: pages that tasks of a family have in common are one again, whatever happened when") {
  for (uint32_t seed = 1; seed <= 300; seed++) {
    std::mt19937 random(seed);
    auto dice = [&](size_t n) { return static_cast<size_t>(random() % n); };
    Family f;
    uint32_t version = 0;
    f.add(-1);
    for (int step = 0; step < 60; step++) {
      const size_t who = dice(f.versions.size());
      if (dice(6) == 0 && f.versions.size() < 10) {
        f.add(static_cast<int>(who));
        continue;
      }
      const size_t first = dice(kPages), n = 1 + dice(8);
      for (size_t i = first; i < std::min<size_t>(kPages, first + n); i++) f.versions[who][i] = dice(5) ? ++version : 0;
    }
    INFO("seed " << seed);
    check(f);
  }
}

}  // namespace nsr
