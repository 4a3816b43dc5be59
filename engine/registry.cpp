// The one table that names all kinds of open files, in the order in which they are asked.
#include "engine/descriptors/kind.h"
#include "engine/files/io_uring.h"
#include "engine/files/kinds.h"
#include "engine/sockets/kinds.h"

namespace nsr {

std::vector<std::unique_ptr<Kind>> make_kinds() {
  std::vector<std::unique_ptr<Kind>> kinds;
  auto add = [&](std::unique_ptr<Kind> kind) { kinds.push_back(with_owner(std::move(kind))); };
  auto files = make_named_files();
  add(make_unix_kind());
  add(make_inet_kind());
  add(make_netlink_kind());
  add(make_packet_kind());
  add(make_other_socket_kind());
  add(make_pipe_kind());
  add(make_eventfd_kind());
  add(make_epoll_kind());
  add(make_timerfd_kind());
  add(make_signalfd_kind());
  add(make_memfd_kind());
  add(make_pidfd_kind());
  add(make_bpf_map_kind());
  add(make_io_uring_kind());
  add(make_tun_kind());
  add(make_namespace_kind());
  add(make_mqueue_kind());
  add(make_file_locks());
  add(make_tty_kind());
  add(make_fifo_kind(files));
  add(make_proc_kind(files));
  add(make_regular_kind(files));  // whatever has a path: behind the kinds that have one too
  add(make_inotify_kind(files));  // set when all others are open
  add(make_fanotify_kind(files));
  add(make_unknown_kind());  // matches everything
  return kinds;
}

}  // namespace nsr
