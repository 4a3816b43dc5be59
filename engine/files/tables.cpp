#include "engine/files/tables.h"

#include <set>

#include "core.pb.h"
#include "engine/images/image_dir.h"
#include "pstree.pb.h"

namespace nsr {

void Tables::read(RestoreContext& ctx) {
  read_ = true;
  std::set<uint32_t> seen;
  for (const auto& task : ctx.images().all<pb::pstree_entry>(Img::pstree)) {
    auto in = ctx.images().open(Img::ids, task.pid());
    if (!in) continue;  // a zombie has none
    pb::task_kobj_ids_entry ids;
    in->one(ids);
    if (!seen.insert(ids.files_id()).second) continue;
    tables_.push_back(ctx.images().all<pb::fdinfo_entry>(Img::fdinfo, ids.files_id()));
    for (const auto& f : tables_.back()) first_.emplace(f.id(), tables_.size() - 1);
  }
}

const std::vector<pb::fdinfo_entry>* Tables::first_with(uint32_t file_id, RestoreContext& ctx) {
  if (!read_) read(ctx);
  auto at = first_.find(file_id);
  return at == first_.end() ? nullptr : &tables_[at->second];
}

}  // namespace nsr
