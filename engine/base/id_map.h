// Ids of users and groups inside and outside of a user namespace (user_namespaces(7)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nsr {

class IdMap {
 public:
  /// A line of /proc/PID/uid_map.
  struct Extent {
    uint32_t inner, outer, count;
  };
  /// What inner() says of an id that the namespace does not know: the kernel's overflow id.
  static constexpr uint32_t kUnknown = 65534;
  /// What outer() says of one that has no meaning outside: chown(2) and setresuid(2) leave an id as it is for it.
  static constexpr uint32_t kNone = ~0u;

  /// No namespace of its own: inside and outside are the same.
  IdMap() = default;
  /// Ids outside of all extents are unknown.
  explicit IdMap(std::vector<Extent> extents) : extents_(std::move(extents)), identity_(false) {}

  bool identity() const { return identity_; }
  const std::vector<Extent>& extents() const { return extents_; }
  bool knows(uint32_t outer) const;
  uint32_t inner(uint32_t outer) const;
  uint32_t outer(uint32_t inner) const;

 private:
  std::vector<Extent> extents_;
  bool identity_ = true;
};

/// Both maps of a user namespace. Images hold inner ids; the engine, which stays outside, sees and sets outer ones.
struct UserMap {
  IdMap uids, gids;
};

/// Those of a tree without a user namespace of its own.
const UserMap& same_users();

/// Text of uid_map or gid_map. Throws Error(environment) naming the object when it is none.
IdMap parse_id_map(std::string_view text, std::string_view object);
/// The same the other way round.
std::string id_map_text(const IdMap& map);

}  // namespace nsr
