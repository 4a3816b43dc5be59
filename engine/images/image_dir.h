// An image directory: which files it has, their framing, and the order in which it becomes complete.
// Wire facts: docs/images.md. Decoding treats every byte as hostile: sizes are capped, magics checked, records must end
// exactly at the end of the file, required fields must be there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/unique_fd.h"

namespace google::protobuf {
class MessageLite;
}
namespace nsr::pb {
class inventory_entry;
class stats_entry;
}  // namespace nsr::pb

namespace nsr {

/// Types of image files. The table in image_types.cpp gives magic and file name pattern of each, in the same order.
// clang-format off
enum class Img {
  inventory, pstree, files, seccomp, apparmor, cgroup, cpuinfo, filelocks, remap_fpath, ghost_file, memfd, pipes_data,
  fifo_data, sk_queues, tcp_stream, tty_info, tty_data, bpfmap_data, core, ids, mm, fs, creds, fdinfo, pagemap,
  shmem_pagemap, pages, utsns, ipc_var, ipcns_shm, ipcns_msg, ipcns_sem, netns, netdev, userns, timens, pidns,
  mountpoints, tmpfs_dev, autofs, binfmt_misc, ifaddr, route, route6, rule, iptables, ip6tables, nftables, netns_ct,
  netns_exp, stats, irmap_cache,
  task_ext,  // ours (nsr-task-<pid>), optional on read
  sk_ext,    // ours (nsr-sk), optional on read
  mm_ext,    // ours (nsr-mm-<pid>), optional on read
  file_ext,  // ours (nsr-files), optional on read
  net_ext,   // ours (nsr-net-<namespace>), optional on read
  mnt_ext,   // ours (nsr-mnt-<namespace>), optional on read
  user_ext,  // ours (nsr-user-<namespace>), optional on read
  cpu_ext,   // ours (nsr-cpu), optional on read
  // legacy, read only
  reg_files, ext_files, ns_files, eventfd, eventpoll, eventpoll_tfd, signalfd, inotify, inotify_wd, fanotify,
  fanotify_mark, pipes, fifo, unixsk, inetsk, packetsk, netlinksk, tty_files, tunfile, timerfd, bpfmap_file, vmas,
  sigacts, itimers, posix_timers, rlimit, signal_s, signal_p, tmpfs, binfmt_misc_old,
};
// clang-format on

/// The "number" of the two stats images.
inline constexpr uint64_t kStatsDump = 0, kStatsRestore = 1;

/// File name of an image: number is a pid, id or inode as its pattern says (docs/images.md); ignored by global images.
std::string image_name(Img type, uint64_t number = 0);

struct ImageId {
  Img type;
  uint64_t number;
  friend auto operator<=>(const ImageId&, const ImageId&) = default;
};
/// The reverse of image_name(); no value for the name of anything else.
std::optional<ImageId> parse_image_name(std::string_view name);

/// Writes framed records through a buffer of 64 KiB. The header goes before the first byte; an image without a record
/// is header only. Throws Error(io) naming the file, Error(internal) for a record that lacks required fields.
class ImageWriter {
 public:
  /// Writes at the descriptor's file position.
  ImageWriter(UniqueFd fd, std::string name, Img type);
  ImageWriter(ImageWriter&&) noexcept;
  ImageWriter& operator=(ImageWriter&&) noexcept;
  ~ImageWriter();
  void write(const google::protobuf::MessageLite& record);
  /// Payload behind a record (or the body of a raw image).
  void raw(const void* bytes, size_t n);
  int fd() const;  ///< flushes what is buffered first; what is written there with write(2) goes behind it
  void finish();   ///< flushes; to be called before the writer goes (the destructor only logs a failure)

 private:
  friend class ImageDir;
  struct State;
  std::unique_ptr<State> s_;
};

/// 1: a framed image starts with its type magic only; 2: the current layout (inventory_entry.img_version).
enum class ImageLayout { v1 = 1, v2 = 2 };

/// Reads framed records of a regular file. Throws Error(image) naming file, offset and what is wrong.
class ImageReader {
 public:
  /// Checks the header.
  ImageReader(UniqueFd fd, std::string name, Img type, ImageLayout layout = ImageLayout::v2);
  ImageReader(ImageReader&&) noexcept;
  ImageReader& operator=(ImageReader&&) noexcept;
  ~ImageReader();
  /// False exactly at the end of the file.
  [[nodiscard]] bool next(google::protobuf::MessageLite& record);
  /// The record must be there.
  void one(google::protobuf::MessageLite& record);
  /// Payload behind the record just read.
  void raw(void* bytes, size_t n);
  std::string raw(size_t n);
  /// Steps over payload.
  void skip(uint64_t n);
  /// Nothing more may follow.
  void end();
  uint64_t offset() const;  ///< of the cursor in the file
  uint64_t left() const;    ///< bytes between the cursor and the end of the file
  int fd() const;           ///< descriptor, positioned by the reader itself: use pread
  const std::string& name() const;

 private:
  struct State;
  std::unique_ptr<State> s_;
};

/// One directory of images (-D). Used by one thread.
class ImageDir {
 public:
  /// Throws Error(io) when the directory cannot be opened.
  explicit ImageDir(const std::string& path);
  ~ImageDir();
  ImageDir(ImageDir&&) noexcept;
  ImageDir& operator=(ImageDir&&) noexcept;

  const std::string& path() const;
  int fd() const;
  /// All images in the directory, sorted.
  std::vector<ImageId> list() const;

  // ---- writing
  /// Removes inventory.img first, then every other image of an older dump in this directory, so that it reads as
  /// incomplete from here on. Files that are no images, stats and the `parent` link stay.
  void begin_dump();
  /// A new image, truncated, 0644.
  ImageWriter create(Img type, uint64_t number = 0);
  /// The one writer of a global image that several places append to; created at its first use, finished by commit().
  ImageWriter& append(Img type);
  /// Finishes all append() images, brings the data of all files to disk (syncfs of the directory's file system), then
  /// writes inventory.img under a temporary name, syncs it and renames it into place. Throws Error(internal) when a
  /// writer of create() is still open, Error(io) when one could not write its data or the disk did not take it.
  void commit(const google::protobuf::MessageLite& inventory);
  /// Removes everything this object created (a failed dump).
  void discard() noexcept;

  // ---- reading
  /// The inventory of a complete dump. Throws Error(image) when it is missing (the dump was not finished) or its
  /// version is not one that can be read.
  pb::inventory_entry inventory() const;
  bool has(Img type, uint64_t number = 0) const;
  /// Nothing when the file is not there. The inventory, if there, tells the layout (without one: v2).
  std::optional<ImageReader> open(Img type, uint64_t number = 0) const;
  /// Throws Error(image) "… is missing" when it is not there.
  ImageReader require(Img type, uint64_t number = 0) const;
  /// All records of a list image; a missing file is an empty list.
  template <class Message>
  std::vector<Message> all(Img type, uint64_t number = 0) const {
    std::vector<Message> list;
    if (auto reader = open(type, number)) {
      Message m;
      while (reader->next(m)) list.push_back(m);
    }
    return list;
  }
  /// The single record of an image; nothing may follow it (where payload does, use require()).
  template <class Message>
  Message one(Img type, uint64_t number = 0) const {
    Message m;
    ImageReader reader = require(type, number);
    reader.one(m);
    reader.end();
    return m;
  }

 private:
  struct State;
  std::unique_ptr<State> s_;
};

/// Writes stats-dump or stats-restore into the work directory (-W). Throws Error(io).
void write_stats(int work_dir_fd, bool dump, const pb::stats_entry& stats);

}  // namespace nsr
