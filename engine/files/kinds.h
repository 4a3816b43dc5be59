// Factories of the kinds of this room, in no order: engine/registry.cpp says in which one they are asked.
#pragma once

#include <memory>

#include "engine/descriptors/kind.h"

namespace nsr {

std::unique_ptr<Kind> make_eventfd_kind();
std::unique_ptr<Kind> make_epoll_kind();
std::unique_ptr<Kind> make_pipe_kind();
std::unique_ptr<Kind> make_tty_kind();
std::unique_ptr<Kind> make_signalfd_kind();
std::unique_ptr<Kind> make_timerfd_kind();
std::unique_ptr<Kind> make_memfd_kind();
std::unique_ptr<Kind> make_pidfd_kind();
std::unique_ptr<Kind> make_namespace_kind();
std::unique_ptr<Kind> make_mqueue_kind();
std::unique_ptr<Kind> make_tun_kind();
std::unique_ptr<Kind> make_bpf_map_kind();
/// No kind of open file: the locks on open files.
std::unique_ptr<Kind> make_file_locks();
/// Matches everything, refuses to dump it with the reason that is known for its type. Must be the last one.
std::unique_ptr<Kind> make_unknown_kind();

class NamedFiles;
/// Kinds that are found by their path share one NamedFiles.
std::unique_ptr<Kind> make_fifo_kind(std::shared_ptr<NamedFiles> files);
/// /proc/PID/... of a process: opened by the task when the tree exists.
std::unique_ptr<Kind> make_proc_kind(std::shared_ptr<NamedFiles> files);
/// Watches are set at finish_restore: the kinds whose files they may be on stand before them.
std::unique_ptr<Kind> make_inotify_kind(std::shared_ptr<NamedFiles> files);
std::unique_ptr<Kind> make_fanotify_kind(std::shared_ptr<NamedFiles> files);
std::unique_ptr<Kind> make_regular_kind(std::shared_ptr<NamedFiles> files);
std::shared_ptr<NamedFiles> make_named_files();

/// Adds what every kind has in common (owner and signal of F_SETOWN/F_SETSIG, O_ASYNC) to a kind.
std::unique_ptr<Kind> with_owner(std::unique_ptr<Kind> kind);

}  // namespace nsr
