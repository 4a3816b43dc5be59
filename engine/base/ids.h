// Distinct types for numbers that must not be mixed.
#pragma once

#include <cstdint>
#include <functional>

namespace nsr {

/// A number with a meaning: comparable and hashable, never implicitly converted.
template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
  constexpr explicit operator bool() const { return value != Rep{}; }
};

/// A pid or tid as the engine's own pid namespace (its /proc) shows it.
using HostPid = StrongId<struct HostPidTag, int32_t>;
/// A pid or tid as the innermost pid namespace of the task shows it; this is what images hold.
using NsPid = StrongId<struct NsPidTag, int32_t>;
/// An address in a tracee.
using RemoteAddr = StrongId<struct RemoteAddrTag, uint64_t>;

}  // namespace nsr

template <class Tag, class Rep>
struct std::hash<nsr::StrongId<Tag, Rep>> {
  size_t operator()(const nsr::StrongId<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value); }
};
