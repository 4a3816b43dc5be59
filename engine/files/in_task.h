// Files that only a task can open, when the whole tree exists. The engine provides a placeholder under the same id; one
// of the tasks that hold it opens the file and hands it to the others, and each puts it over the placeholder.
//
// The placeholder is a datagram socket that is connected to itself: the descriptor travels through it (unix(7),
// SCM_RIGHTS), and the others wait in recvmsg until it comes. The tasks run at the same time, so nobody waits in vain;
// when the opener fails the restore fails.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/descriptors/kind.h"
#include "engine/files/tables.h"

namespace nsr {

/// Lowest number that is not in a table: what the next open of that task gives.
int lowest_free(const std::vector<pb::fdinfo_entry>& table);

/// Whether a descriptor of the engine is the placeholder of such a file.
bool is_placeholder(int fd);

class InTaskOpens {
 public:
  /// Adds exactly one record, whose result is a descriptor.
  using Open = std::function<void(Program&, Arena&)>;

  /// Hands over the placeholder. `what` is for error messages.
  void provide(uint32_t file_id, const std::string& what, RestoreContext& ctx, Open open);
  /// lseek after the open.
  void set_position(uint32_t file_id, uint64_t pos) { opens_.at(file_id).pos = pos; }
  /// Only this task can open it; without a word it is the first one that emit() sees.
  void set_opener(uint32_t file_id, NsPid pid) { opens_.at(file_id).opener = pid; }
  /// To be called from Kind::emit_opens.
  void emit(TaskStage& stage);

 private:
  struct Recipe {
    std::string what;
    Open open;
    uint64_t pos = 0;
    std::optional<NsPid> opener;
    size_t tables = 1;  ///< tables that hold the file
  };
  void open_and_send(const Recipe& recipe, uint32_t fd, int spare, TaskStage& stage);
  void receive(const Recipe& recipe, uint32_t fd, TaskStage& stage);

  std::map<uint32_t, Recipe> opens_;
  Tables tables_;
};

}  // namespace nsr
