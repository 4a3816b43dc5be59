// Files that only a task can open, when the whole tree exists: the engine provides a placeholder under the same id, and
// every task that holds the id replaces it. Tasks that shared one description get one each.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/descriptors/kind.h"

namespace nsr {

/// Lowest number that is not in a table: what the next open of that task gives.
int lowest_free(const std::vector<pb::fdinfo_entry>& table);

class InTaskOpens {
 public:
  /// Adds exactly one record, whose result is a descriptor.
  using Open = std::function<void(Program&, Arena&)>;

  /// Hands over the placeholder. `what` is for error messages.
  void provide(uint32_t file_id, const std::string& what, RestoreContext& ctx, Open open);
  /// lseek after the open.
  void set_position(uint32_t file_id, uint64_t pos) { opens_.at(file_id).pos = pos; }
  /// To be called from Kind::emit_opens.
  void emit(TaskStage& stage) const;

 private:
  struct Recipe {
    std::string what;
    Open open;
    uint64_t pos = 0;
  };
  std::map<uint32_t, Recipe> opens_;
};

}  // namespace nsr
