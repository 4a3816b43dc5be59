// The mounts of a tree that has a root directory of its own (pivot_root(2)).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/images/image_dir.h"
#include "engine/namespaces/mount_images.h"
#include "mnt.pb.h"
#include "mountns/mount_calls.h"
#include "mountns/mount_order.h"

namespace nsr {

class OwnRoot {
 public:
  /// Where things are in the restorer's mount namespace.
  struct Places {
    std::string root;                   ///< --root: what becomes the root directory; empty: where the dumper had it
    std::vector<std::string> external;  ///< --external, of which mnt[KEY]:PATH counts here
  };

  /// Takes what is bound from the restorer's mounts; the caller is still among them. Throws Error(environment) for what
  /// is not there, Error(usage) for what was not given.
  OwnRoot(const ImageDir& images, uint64_t id, const Places& places);
  /// Makes the tree's mounts those of the calling process's mount namespace, a fresh copy of the restorer's, of which
  /// nothing stays. The process stands in the tree's root directory then.
  void build(const MountMakers& makers);

 private:
  /// Of whose parts mounts are made.
  struct Instance {
    UniqueFd mount;
    std::string root;  ///< what of the file system it shows
  };
  void take_root(const Places& places);
  void take(size_t i, const Places& places);
  bool is_part(size_t i) const;
  void make_instances(const MountMakers& makers);
  void make_parts();
  void attach_all();
  void attach(const AttachStep& step);
  void share();
  std::string object(size_t i) const;

  const ImageDir& images_;
  std::vector<pb::mnt_entry> entries_;
  std::vector<PlacedMount> placed_;
  std::vector<AttachStep> order_;
  std::map<uint32_t, std::string> host_paths_;  ///< by mount id
  std::vector<UniqueFd> mounts_;                ///< as entries_
  std::map<uint32_t, Instance> instances_;      ///< by device
};

}  // namespace nsr
