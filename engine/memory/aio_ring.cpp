#include "engine/memory/aio_ring.h"

#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <vector>

#include "engine/base/error.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

constexpr uint32_t kMagic = 0xa10a10a1;
constexpr uint32_t kMostAtOnce = 512;

/// fs/aio.c; the events follow.
struct RingHead {
  uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
};

uint32_t slots(uint64_t ring_len) { return static_cast<uint32_t>((ring_len - sizeof(RingHead)) / sizeof(io_event)); }

uint64_t slot_at(const pb::aio_ring_entry& e, uint32_t slot) {
  return e.id() + sizeof(RingHead) + slot * sizeof(io_event);
}

/// Submits reads of one byte and takes their completions, or leaves them.
class Dummies {
 public:
  Dummies(const pb::aio_ring_entry& e, int fd, TaskProgram& out, Arena& arena) : e_(e), out_(out) {
    // the kernel keeps some requests aside for each CPU
    most_ = std::min(kMostAtOnce, std::max(1u, (slots(e.ring_len()) - 1) / 2));
    iocb one{};
    one.aio_lio_opcode = IOCB_CMD_PREAD;
    one.aio_fildes = static_cast<uint32_t>(fd);
    one.aio_buf = arena.alloc(1).value;
    one.aio_nbytes = 1;
    std::vector<uint64_t> list(most_, arena.put(one).value);
    list_ = arena.put(list.data(), list.size() * sizeof list[0]);
    events_ = arena.alloc(most_ * sizeof(io_event));
  }
  void run(uint32_t n, bool take) {
    while (n > 0) {
      uint32_t k = std::min(n, most_);
      out_.expect(out_.calls.call(SYS_io_submit, e_.id(), k, list_), k);
      out_.calls.note("bring an AIO context to its position");
      if (take) out_.expect(out_.calls.call(SYS_io_getevents, e_.id(), k, k, events_, 0), k);
      n -= k;
    }
  }

 private:
  const pb::aio_ring_entry& e_;
  TaskProgram& out_;
  uint32_t most_ = 1;
  RemoteAddr list_{}, events_{};
};

}  // namespace

std::optional<AioRing> read_aio_ring(HostPid pid, uint64_t start, uint64_t length) {
  RingHead head{};
  if (!try_read_memory(pid, RemoteAddr(start), &head, sizeof head) || head.magic != kMagic || head.nr == 0 ||
      head.nr > slots(length))
    return std::nullopt;
  AioRing ring;
  ring.entry.set_id(start);
  // io_setup(n) makes room for 2n + 2 events and rounds up to pages: this n gives as many pages again
  ring.entry.set_nr_req((slots(length) - 2) / 2);
  ring.entry.set_ring_len(static_cast<uint32_t>(length));
  uint32_t first = head.head % head.nr, end = head.tail % head.nr;
  ring.content.set_id(start);
  ring.content.set_head(first);
  ring.content.set_tail(end);
  std::string events;
  for (uint32_t i = first; i != end; i = (i + 1) % head.nr) {
    io_event event;
    if (!try_read_memory(pid, RemoteAddr(slot_at(ring.entry, i)), &event, sizeof event)) return std::nullopt;
    events.append(reinterpret_cast<const char*>(&event), sizeof event);
  }
  ring.content.set_events(events);
  return ring;
}

void check_aio_ring(const pb::aio_ring_entry& e, const pb::nsr_aio_ring& c, const std::string& object) {
  uint32_t nr = e.ring_len() > sizeof(RingHead) + 3 * sizeof(io_event) ? slots(e.ring_len()) : 0;
  uint32_t waiting = nr ? (c.tail() + nr - c.head()) % nr : 0;
  if (c.head() >= nr || c.tail() >= nr || c.events().size() != waiting * sizeof(io_event))
    throw Error(Failure::image, object, "an AIO ring in nsr-mm is impossible");
}

void emit_aio_ring(const pb::aio_ring_entry& e, const pb::nsr_aio_ring* c, NsPid task, int readable_fd,
                   TaskProgram& out, Arena& arena) {
  Program& p = out.calls;
  auto setup = p.call(SYS_io_setup, e.nr_req(), 0);
  p.note("make an AIO context");
  auto place = p.call(SYS_mremap, 0, e.ring_len(), e.ring_len(), MREMAP_MAYMOVE | MREMAP_FIXED, e.id());
  p.note("put its ring in place");
  p.point(setup, 1, place, 0);
  if (!c || (c->tail() == 0 && c->events().empty())) return;
  uint32_t nr = slots(e.ring_len()), waiting = static_cast<uint32_t>(c->events().size() / sizeof(io_event));
  uint32_t all = c->tail() >= waiting ? c->tail() : c->tail() + nr;
  Dummies dummies(e, readable_fd, out, arena);
  dummies.run(all - waiting, true);
  dummies.run(waiting, false);
  if (!waiting) return;
  uint32_t before_end = std::min(waiting, nr - c->head());
  iovec from{reinterpret_cast<void*>(arena.put(c->events().data(), c->events().size()).value), c->events().size()};
  iovec to[2] = {{reinterpret_cast<void*>(slot_at(e, c->head())), before_end * sizeof(io_event)},
                 {reinterpret_cast<void*>(slot_at(e, 0)), (waiting - before_end) * sizeof(io_event)}};
  auto written = p.call(SYS_process_vm_writev, task, arena.put(from), 1, arena.put(&to, sizeof to), 2, 0);
  p.note("fill in its completions");
  out.expect(written, static_cast<int64_t>(from.iov_len));
}

size_t aio_arena_size(const pb::aio_ring_entry& e) {
  size_t nr = slots(std::max<uint64_t>(e.ring_len(), 4096)), most = std::min<size_t>(kMostAtOnce, nr / 2 + 1);
  return nr * sizeof(io_event) + most * (sizeof(uint64_t) + sizeof(io_event)) + (16 + 6 * (nr / most)) * 128;
}

}  // namespace nsr
