// The programs of a restore: what every process of the plan runs, as data in one arena.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/memory/page_push.h"
#include "engine/restore/cow_sharing.h"
#include "engine/restore/image_set.h"
#include "engine/restore/restore_files.h"
#include "engine/restore/self_settings.h"
#include "engine/restore/shared_area.h"
#include "engine/restore/tree_plan.h"
#include "engine/trace/task_program.h"

namespace nsr {

/// A stored program and what is needed to judge its results.
struct StoredProgram {
  RemoteAddr at{};
  TaskProgram source;
  bool empty() const { return at.value == 0; }
  bool holds(RemoteAddr sp) const {
    return sp.value >= at.value - sizeof(Record) && sp.value <= at.value + (source.calls.size() + 1) * sizeof(Record);
  }
};

/// A program that makes threads of its process, by their indices in ImageTask::threads.
struct MakerProgram {
  StoredProgram program;
  std::vector<size_t> threads;
};

/// Programs of one node of the plan, in the order in which they run.
struct NodePrograms {
  uint64_t kept_bytes = 0;             ///< of its memory: there from birth
  StoredProgram build;                 ///< makes itself and its children, its memory, its directories
  StoredProgram settle;                ///< what follows when its memory was filled from outside; else in build
  std::optional<Program::Index> uffd;  ///< record of build that opens a userfaultfd, where one is needed
  PushJob push;                        ///< what to fill; its pid and descriptor are not known yet
  StoredProgram join;                  ///< joins a group; a zombie also exits
  std::vector<MakerProgram> makers;    ///< of a process with many threads: what finish would begin with
  StoredProgram finish;                ///< descriptors, threads, process state, credentials
  std::vector<StoredProgram> threads;  ///< of its threads but the first, started by makers and finish
  /// Of threads that build makes because they have children: index in ImageTask::threads, and what they run then.
  std::vector<std::pair<size_t, StoredProgram>> branches;
};

/// Bytes of arena that all programs need.
size_t programs_size(const ImageSet& set, const TreePlan& plan);

/// Builds all programs. pages_fd: the engine's descriptors of ImageSet::pages_files.
std::vector<NodePrograms> build_programs(const ImageSet& set, const TreePlan& plan, RestoreFiles& files,
                                         const std::vector<int>& pages_fd, const CowSharing& cow,
                                         const SelfSettings& self, SharedArea& area);

}  // namespace nsr
