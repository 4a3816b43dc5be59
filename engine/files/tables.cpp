#include "engine/files/tables.h"

#include <algorithm>

#include "core.pb.h"
#include "engine/images/image_dir.h"
#include "pstree.pb.h"

namespace nsr {

void Tables::read(RestoreContext& ctx) {
  read_ = true;
  std::map<uint32_t, size_t> by_files_id;
  for (const auto& task : ctx.images().all<pb::pstree_entry>(Img::pstree)) {
    auto in = ctx.images().open(Img::ids, task.pid());
    if (!in) continue;  // a zombie has none
    pb::task_kobj_ids_entry ids;
    in->one(ids);
    auto [at, fresh] = by_files_id.emplace(ids.files_id(), tables_.size());
    of_[NsPid(static_cast<int32_t>(task.pid()))] = at->second;
    if (!fresh) continue;
    tables_.push_back(ctx.images().all<pb::fdinfo_entry>(Img::fdinfo, ids.files_id()));
    for (const auto& f : tables_.back()) {
      auto& list = with_[f.id()];
      if (list.empty() || list.back() != at->second) list.push_back(at->second);
    }
  }
}

const std::vector<pb::fdinfo_entry>* Tables::first_with(uint32_t file_id, RestoreContext& ctx) {
  if (!read_) read(ctx);
  auto at = with_.find(file_id);
  return at == with_.end() ? nullptr : &tables_[at->second.front()];
}

size_t Tables::count_with(uint32_t file_id, RestoreContext& ctx) {
  if (!read_) read(ctx);
  auto at = with_.find(file_id);
  return at == with_.end() ? 0 : at->second.size();
}

bool Tables::holds(NsPid pid, uint32_t file_id, RestoreContext& ctx) {
  if (!read_) read(ctx);
  auto table = of_.find(pid);
  auto at = with_.find(file_id);
  return table != of_.end() && at != with_.end() &&
         std::find(at->second.begin(), at->second.end(), table->second) != at->second.end();
}

}  // namespace nsr
