// Room for more open files than one process may have.
#pragma once

#include <functional>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// A copy of this process that does nothing but hold a copy of its descriptor table, so that the descriptors can be
/// closed here. It dies with this object, and with the thread that made it.
class DescriptorVault {
 public:
  /// spare_id: asked for ids that nobody needs before this object goes. Throws Error(environment).
  explicit DescriptorVault(const std::function<NsPid()>& spare_id);
  DescriptorVault(const DescriptorVault&) = delete;
  DescriptorVault& operator=(const DescriptorVault&) = delete;
  ~DescriptorVault();

  /// What had this number when the vault was made (pidfd_getfd(2)). Throws Error(environment).
  UniqueFd take(int number) const;

 private:
  int pid_ = -1;
  UniqueFd pidfd_;
};

}  // namespace nsr
