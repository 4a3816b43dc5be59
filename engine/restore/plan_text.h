// The plan of a restore as text for people: `ns-engine restore --plan`.
#pragma once

#include <string>

#include "engine/restore/restore_files.h"
#include "engine/restore/tree_plan.h"

namespace nsr {

std::string plan_text(const ImageSet& set, const TreePlan& plan, const RestoreFiles& files);

}  // namespace nsr
