// Which pages processes are born with, so that those which tasks have in common become one again: the pages are in the
// memory of the process that makes them when it forks. That process, and the ones between it and those that keep the
// pages, need not keep them. Pure: no syscalls.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "engine/memory/address_space.h"
#include "engine/restore/cow_sharing.h"
#include "engine/restore/tree_plan.h"

namespace nsr {

class BirthPages {
 public:
  using Spaces = std::vector<std::unique_ptr<AddressSpace>>;

  /// Pages that a process loads into its own memory, out of the image of a node.
  struct Load {
    size_t source;
    PageRanges pages;
  };
  /// What is done before one child is made, and the pages that are there then.
  struct Step {
    std::vector<Load> loads;
    PageRanges there;
  };
  struct Node {
    PageRanges kept;               ///< its own, from birth on
    PageRanges passed;             ///< of others, from birth until its children are made
    PageRanges complete;           ///< its own, when its children are made
    PageRanges stale;              ///< of others, then
    bool provides = false;         ///< some child is born with pages of it
    std::map<size_t, Step> steps;  ///< by child, where it provides
  };

  /// spaces: by node of the plan; null for those without memory of their own.
  BirthPages(const TreePlan& plan, const CowSharing& cow, const Spaces& spaces);
  const Node& of(size_t node) const { return nodes_[node]; }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  using Versions = std::map<uint64_t, PageRanges>;  ///< pages by group
  using Group = std::map<size_t, PageRanges>;       ///< by node: the pages that it has in common with the others

  void walk(size_t node, size_t maker);
  void read_groups(const CowSharing& cow);
  void plan_group(uint64_t group, const Group& members);
  void climb(uint64_t group, const std::vector<size_t>& members, const PageRanges& pages);
  void want_below(uint64_t group, size_t top, const std::map<size_t, std::vector<size_t>>& below,
                  const PageRanges& pages);
  const PageRanges& heritable(size_t node);

  /// The memory of a process while it makes its children.
  struct Making;
  void make_children(size_t node);
  void provide(Making& making, size_t child, Step& step);
  PageRanges load(Making& making, uint64_t group, PageRanges missing, Step& step) const;
  void born_below(size_t made, std::vector<size_t>& out) const;
  bool makes_at_one_time(size_t node) const;

  const TreePlan& plan_;
  const Spaces& spaces_;
  std::vector<Node> nodes_;
  std::vector<size_t> order_;          ///< nodes with memory of their own, makers first
  std::vector<size_t> maker_, depth_;  ///< the nearest such node above, and how many there are
  std::map<uint64_t, Group> groups_;
  std::vector<Versions> own_, wanted_;  ///< by node: what is its own at the end; what it is to be born with
  std::vector<PageRanges> heritable_;
  std::vector<bool> heritable_known_;
};

}  // namespace nsr
