// Set-up of the mount namespace that a tree is restored in.
#pragma once

namespace nsr {

/// How mounts and unmounts made later in the parent namespace reach this one (mount_namespaces(7)).
enum class Propagation {
  slave,     ///< they are seen here, ours stay here
  private_,  ///< neither side sees the other's
};

/// Sets all mounts of the calling task's (fresh) mount namespace. Throws Error(environment).
void set_propagation(Propagation propagation);

/// Mounts a /proc of the caller's pid namespace over the inherited one: nosuid, nodev, noexec, as distributions do.
/// The propagation must have been set before, else it would be seen outside. Throws Error(environment).
void mount_private_proc();

}  // namespace nsr
