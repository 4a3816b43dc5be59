// The kinds of namespaces and where the images hold their ids (ids-<pid>.img).
#pragma once

#include <cstdint>

#include "core.pb.h"

namespace nsr {

struct NamespaceKind {
  const char* name;     ///< in /proc/PID/ns
  uint32_t clone_flag;  ///< clone(2)
  uint32_t (*id)(const pb::task_kobj_ids_entry&);
  void (*set_id)(pb::task_kobj_ids_entry&, uint32_t);
};

#define NSR_NAMESPACE_KIND(name, flag)                                                               \
  {                                                                                                  \
#name, flag,                                                                                     \
        [](const pb::task_kobj_ids_entry&                                                            \
               i) { return i.name##_ns_id(); }, [](pb::task_kobj_ids_entry & i,                      \
                                                   uint32_t id) { return i.set_##name##_ns_id(id); } \
  }
/// In the order in which the engine's own are numbered, from 1. The flags are those of <linux/sched.h>.
inline constexpr NamespaceKind kNamespaceKinds[] = {
    NSR_NAMESPACE_KIND(pid, 0x20000000),    NSR_NAMESPACE_KIND(net, 0x40000000),  NSR_NAMESPACE_KIND(ipc, 0x08000000),
    NSR_NAMESPACE_KIND(uts, 0x04000000),    NSR_NAMESPACE_KIND(mnt, 0x00020000),  NSR_NAMESPACE_KIND(user, 0x10000000),
    NSR_NAMESPACE_KIND(cgroup, 0x02000000), NSR_NAMESPACE_KIND(time, 0x00000080),
};
#undef NSR_NAMESPACE_KIND

/// Null when no kind has this clone flag.
constexpr const NamespaceKind* namespace_kind(uint32_t clone_flag) {
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (kind.clone_flag == clone_flag) return &kind;
  return nullptr;
}

}  // namespace nsr
