// An image directory: which files it has, their framing, and the order in which it becomes complete.
// Wire facts: docs/images.md. Decoding treats every byte as hostile: sizes are capped, magics checked, records must end
// exactly at the end of the file, required fields must be there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/unique_fd.h"

namespace google::protobuf {
class MessageLite;
}

namespace nsr {

/// Types of image files. The table in image_types.cpp gives magic and file name pattern of each.
enum class Img {
  inventory, pstree, files, seccomp, apparmor, cgroup, cpuinfo, filelocks, remap_fpath, ghost_file, memfd, pipes_data,
  fifo_data, sk_queues, tcp_stream, tty_info, tty_data, bpfmap_data, core, ids, mm, fs, creds, fdinfo, pagemap,
  shmem_pagemap, pages, utsns, ipc_var, ipcns_shm, ipcns_msg, ipcns_sem, netns, netdev, userns, timens, pidns,
  mountpoints, stats, task_ext,  // task_ext: ours (nsr-task-<pid>.img), optional on read
  reg_files, ext_files, vmas, sigacts, itimers, posix_timers, rlimit, signal_s, signal_p,  // legacy, read only
};

/// File name of an image: number is a pid, id or inode as its pattern says (image-magics table); ignored by global images.
std::string image_name(Img type, uint64_t number = 0);

/// Writes framed records. The header is written with the first record. Throws Error(io) naming the file.
class ImageWriter {
 public:
  ImageWriter(UniqueFd fd, std::string name, Img type);
  ImageWriter(ImageWriter&&) noexcept;
  ImageWriter& operator=(ImageWriter&&) noexcept;
  ~ImageWriter();
  void write(const google::protobuf::MessageLite& record);
  /// Payload behind a record (or the body of a raw image).
  void raw(const void* bytes, size_t n);
  int fd() const;            ///< flushes what is buffered first
  void finish();             ///< flushes; to be called before the writer goes (the destructor only logs a failure)

 private:
  struct State;
  std::unique_ptr<State> s_;
};

/// Reads framed records. Throws Error(image) naming file, offset and what is wrong.
class ImageReader {
 public:
  ImageReader(UniqueFd fd, std::string name, Img type);
  ImageReader(ImageReader&&) noexcept;
  ~ImageReader();
  /// False exactly at the end of the file.
  [[nodiscard]] bool next(google::protobuf::MessageLite& record);
  /// The record must be there.
  void one(google::protobuf::MessageLite& record);
  /// Payload behind the record just read.
  void raw(void* bytes, size_t n);
  std::string raw(size_t n);
  uint64_t left() const;     ///< bytes between the cursor and the end of the file
  int fd() const;            ///< descriptor, positioned by the reader itself: use pread
  const std::string& name() const;

 private:
  struct State;
  std::unique_ptr<State> s_;
};

/// One directory of images (-D) plus the work directory (-W) for statistics.
class ImageDir {
 public:
  /// Throws Error(io) or Error(image) when the directory cannot be opened.
  explicit ImageDir(const std::string& path);
  ~ImageDir();
  ImageDir(ImageDir&&) noexcept;

  const std::string& path() const;
  int fd() const;

  // ---- writing
  /// Removes inventory.img and other leftovers of an older dump in this directory, so that it reads as incomplete.
  void begin_dump();
  /// A new image, truncated, 0644.
  ImageWriter create(Img type, uint64_t number = 0);
  /// The one writer of a global image that several places append to; created at its first use, finished by commit().
  ImageWriter& append(Img type);
  /// Finishes all append() images, brings the data of all files to disk (syncfs of the directory's file system), then
  /// writes inventory.img under a temporary name, syncs it and renames it into place.
  void commit(const google::protobuf::MessageLite& inventory);
  /// Removes everything this object created (a failed dump).
  void discard() noexcept;

  // ---- reading
  bool has(Img type, uint64_t number = 0) const;
  /// Nothing when the file is not there.
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
  /// The single record of an image.
  template <class Message>
  Message one(Img type, uint64_t number = 0) const {
    Message m;
    require(type, number).one(m);
    return m;
  }

 private:
  struct State;
  std::unique_ptr<State> s_;
};

}  // namespace nsr
