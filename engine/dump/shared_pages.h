// Pages of private memory that tasks of a tree have had in common since fork(2): stored once, shared again when
// restored.
#pragma once

#include <map>
#include <vector>

#include "engine/dump/live_task.h"
#include "engine/memory/common_pages.h"

namespace nsr {

class SharedPages {
 public:
  /// Finds them, notes them in mm_ext of all tasks and decides in whose image each stands; the tasks' pages have been
  /// found. A task's address space is looked at under the first task that has it.
  explicit SharedPages(std::vector<LiveTask>& live);
  /// Whether this task has pages that another has too, or whether that is not known.
  static bool shares(const LiveTask& t) { return t.mm_ext.common_size() || !t.mm_ext.cow_known(); }
  /// Writes the pages of all tasks, and the links by which they are found.
  void write(const ImageDir& images, PageStore& store);

 private:
  /// An address space, and which of its pages stand in images of others.
  struct Member {
    LiveTask* task;
    int parent;            ///< member; -1: none in the tree
    PageRanges in_parent;  ///< where the parent task has them
    PageRanges in_common;
    std::vector<size_t> commons;
    PageRanges elsewhere() const { return unite(in_parent, in_common); }
  };
  /// A common image has one page for an address.
  struct Common {
    PageRanges pages;
    std::map<uint64_t, PageStore::CommonRange> ranges;  ///< by address
    std::vector<bool> users;                            ///< by member
  };
  void add_members();
  void note(const std::vector<CommonPages>& groups);
  void choose_places(const std::vector<CommonPages>& groups);
  bool stands_with_parents(const CommonPages& group);
  bool has_room(const Common& common, const CommonPages& group) const;
  void put(const CommonPages& group);
  std::vector<uint32_t> write_commons(PageStore& store) const;

  std::vector<LiveTask>& live_;
  std::vector<Member> members_;
  std::map<uint32_t, size_t> by_vm_;   ///< members by vm_id
  std::vector<PageRanges> elsewhere_;  ///< by member, while places are chosen: what will not stand in its own image
  std::vector<Common> commons_;
};

}  // namespace nsr
