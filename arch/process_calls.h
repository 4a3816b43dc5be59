// System calls that make processes.
#pragma once

namespace nsr::arch {

/// Whether nr is clone(2), clone3(2), fork(2) or vfork(2).
bool makes_processes(long nr);

}  // namespace nsr::arch
