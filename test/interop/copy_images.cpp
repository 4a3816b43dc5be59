// Copies every image of a directory, record by record, through the messages: copy-images FROM TO
#include <cstdio>
#include <functional>
#include <map>

#include "apparmor.pb.h"
#include "autofs.pb.h"
#include "binfmt-misc.pb.h"
#include "bpfmap-data.pb.h"
#include "cgroup.pb.h"
#include "core.pb.h"
#include "cpuinfo.pb.h"
#include "creds.pb.h"
#include "engine/base/error.h"
#include "engine/images/image_dir.h"
#include "ext-file.pb.h"
#include "fdinfo.pb.h"
#include "file-lock.pb.h"
#include "fs.pb.h"
#include "ghost-file.pb.h"
#include "inventory.pb.h"
#include "ipc-msg.pb.h"
#include "ipc-sem.pb.h"
#include "ipc-shm.pb.h"
#include "ipc-var.pb.h"
#include "memfd.pb.h"
#include "mm.pb.h"
#include "mnt.pb.h"
#include "netdev.pb.h"
#include "nsr-files.pb.h"
#include "nsr-mm.pb.h"
#include "nsr-task.pb.h"
#include "pagemap.pb.h"
#include "pidns.pb.h"
#include "pipe-data.pb.h"
#include "pstree.pb.h"
#include "regfile.pb.h"
#include "remap-file-path.pb.h"
#include "rlimit.pb.h"
#include "sa.pb.h"
#include "seccomp.pb.h"
#include "siginfo.pb.h"
#include "sk-packet.pb.h"
#include "stats.pb.h"
#include "tcp-stream.pb.h"
#include "timens.pb.h"
#include "timer.pb.h"
#include "tty.pb.h"
#include "userns.pb.h"
#include "utsns.pb.h"

using namespace nsr;

namespace {

using Copy = std::function<void(ImageReader&, ImageWriter&)>;

void payload(ImageReader& from, ImageWriter& to, uint64_t n) {
  std::string bytes = from.raw(n);
  to.raw(bytes.data(), bytes.size());
}

template <class Message>
uint64_t payload_size(const Message&) {
  return 0;
}
uint64_t payload_size(const pb::pipe_data_entry& m) { return m.bytes(); }
uint64_t payload_size(const pb::sk_packet_entry& m) { return m.length(); }
uint64_t payload_size(const pb::tcp_stream_entry& m) { return uint64_t{m.inq_len()} + m.outq_len(); }
uint64_t payload_size(const pb::bpfmap_data_entry& m) { return uint64_t{m.keys_bytes()} + m.values_bytes(); }
uint64_t payload_size(const pb::ipc_sem_entry& m) { return (uint64_t{m.nsems()} * 2 + 7) / 8 * 8; }
uint64_t payload_size(const pb::ipc_msg& m) { return (uint64_t{m.msize()} + 7) / 8 * 8; }
uint64_t payload_size(const pb::ipc_shm_entry& m) { return m.in_pagemaps() ? 0 : (m.size() + 3) / 4 * 4; }
uint64_t payload_size(const pb::ghost_chunk_entry& m) { return m.len(); }

template <class Message>
void copy_all(ImageReader& from, ImageWriter& to) {
  Message m;
  while (from.next(m)) {
    to.write(m);
    payload(from, to, payload_size(m));
  }
}

template <class Head, class Rest>
void copy_headed(ImageReader& from, ImageWriter& to) {
  Head head;
  from.one(head);
  to.write(head);
  copy_all<Rest>(from, to);
}

void copy_ghost(ImageReader& from, ImageWriter& to) {
  pb::ghost_file_entry head;
  from.one(head);
  to.write(head);
  if (head.chunks())
    copy_all<pb::ghost_chunk_entry>(from, to);
  else
    payload(from, to, from.left());
}

void copy_queues(ImageReader& from, ImageWriter& to) {
  pb::ipc_msg_entry queue;
  while (from.next(queue)) {
    to.write(queue);
    pb::ipc_msg message;
    for (uint32_t i = 0; i < queue.qnum(); i++) {
      from.one(message);
      to.write(message);
      payload(from, to, payload_size(message));
    }
  }
}

const std::map<Img, Copy> kCopies = {
    {Img::inventory, copy_all<pb::inventory_entry>},
    {Img::pstree, copy_all<pb::pstree_entry>},
    {Img::files, copy_all<pb::file_entry>},
    {Img::seccomp, copy_all<pb::seccomp_entry>},
    {Img::apparmor, copy_all<pb::apparmor_entry>},
    {Img::cgroup, copy_all<pb::cgroup_entry>},
    {Img::cpuinfo, copy_all<pb::cpuinfo_entry>},
    {Img::filelocks, copy_all<pb::file_lock_entry>},
    {Img::remap_fpath, copy_all<pb::remap_file_path_entry>},
    {Img::ghost_file, copy_ghost},
    {Img::memfd, copy_all<pb::memfd_inode_entry>},
    {Img::pipes_data, copy_all<pb::pipe_data_entry>},
    {Img::fifo_data, copy_all<pb::pipe_data_entry>},
    {Img::sk_queues, copy_all<pb::sk_packet_entry>},
    {Img::tcp_stream, copy_all<pb::tcp_stream_entry>},
    {Img::tty_info, copy_all<pb::tty_info_entry>},
    {Img::tty_data, copy_all<pb::tty_data_entry>},
    {Img::bpfmap_data, copy_all<pb::bpfmap_data_entry>},
    {Img::core, copy_all<pb::core_entry>},
    {Img::ids, copy_all<pb::task_kobj_ids_entry>},
    {Img::mm, copy_all<pb::mm_entry>},
    {Img::fs, copy_all<pb::fs_entry>},
    {Img::creds, copy_all<pb::creds_entry>},
    {Img::fdinfo, copy_all<pb::fdinfo_entry>},
    {Img::pagemap, copy_headed<pb::pagemap_head, pb::pagemap_entry>},
    {Img::shmem_pagemap, copy_headed<pb::pagemap_head, pb::pagemap_entry>},
    {Img::utsns, copy_all<pb::utsns_entry>},
    {Img::ipc_var, copy_all<pb::ipc_var_entry>},
    {Img::ipcns_shm, copy_all<pb::ipc_shm_entry>},
    {Img::ipcns_msg, copy_queues},
    {Img::ipcns_sem, copy_all<pb::ipc_sem_entry>},
    {Img::netns, copy_all<pb::netns_entry>},
    {Img::netdev, copy_all<pb::net_device_entry>},
    {Img::userns, copy_all<pb::userns_entry>},
    {Img::timens, copy_all<pb::timens_entry>},
    {Img::pidns, copy_all<pb::pidns_entry>},
    {Img::mountpoints, copy_all<pb::mnt_entry>},
    {Img::autofs, copy_all<pb::autofs_entry>},
    {Img::binfmt_misc, copy_all<pb::binfmt_misc_entry>},
    {Img::stats, copy_all<pb::stats_entry>},
    {Img::task_ext, copy_all<pb::nsr_task_entry>},
    {Img::mm_ext, copy_all<pb::nsr_mm_entry>},
    {Img::file_ext, copy_all<pb::nsr_file_entry>},
    {Img::reg_files, copy_all<pb::reg_file_entry>},
    {Img::ext_files, copy_all<pb::ext_file_entry>},
    {Img::vmas, copy_all<pb::vma_entry>},
    {Img::sigacts, copy_all<pb::sa_entry>},
    {Img::itimers, copy_all<pb::itimer_entry>},
    {Img::posix_timers, copy_all<pb::posix_timer_entry>},
    {Img::rlimit, copy_all<pb::rlimit_entry>},
    {Img::signal_s, copy_all<pb::siginfo_entry>},
    {Img::signal_p, copy_all<pb::siginfo_entry>},
};

void copy_directory(const char* source, const char* target) {
  ImageDir from(source), to(target);
  for (const ImageId& id : from.list()) {
    auto copy = kCopies.find(id.type);
    if (copy == kCopies.end())
      throw Error(Failure::not_built, image_name(id.type, id.number), "this type is not copied");
    ImageReader reader = from.require(id.type, id.number);
    ImageWriter writer = to.create(id.type, id.number);
    copy->second(reader, writer);
    writer.finish();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: copy-images FROM TO\n");
    return 1;
  }
  try {
    copy_directory(argv[1], argv[2]);
  } catch (const Error& e) {
    std::fprintf(stderr, "copy-images: %s\n", e.what());
    return e.exit_code();
  }
  return 0;
}
