// Rings of asynchronous I/O contexts (io_setup(2)): the mapping is the ring, its address the context's id.
#pragma once

#include <optional>

#include "engine/base/ids.h"
#include "engine/procfs/maps.h"
#include "engine/trace/task_program.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"

namespace nsr {

struct AioRing {
  pb::aio_ring_entry entry;
  pb::nsr_aio_ring content;
};

inline bool is_aio_ring(const procfs::MapsEntry& mapping) { return mapping.name.starts_with("/[aio]"); }

/// Reads a ring of a frozen task. Nothing when it does not look like one.
std::optional<AioRing> read_aio_ring(HostPid pid, uint64_t start, uint64_t length);

/// Makes the context and puts its ring in place; then brings it to the position it had and fills in the completions
/// that nobody has taken, by as many reads of one byte from readable_fd. content may be missing: then it is empty.
void emit_aio_ring(const pb::aio_ring_entry& entry, const pb::nsr_aio_ring* content, NsPid task, int readable_fd,
                   TaskProgram& out, Arena& arena);

/// Throws Error(image) when the content cannot be that of this ring.
void check_aio_ring(const pb::aio_ring_entry& entry, const pb::nsr_aio_ring& content, const std::string& object);

/// Bytes of arena that emit_aio_ring needs at most.
size_t aio_arena_size(const pb::aio_ring_entry& entry);

}  // namespace nsr
