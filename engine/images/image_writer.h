// What an ImageDir knows about the writers that it handed out.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/images/image_dir.h"

namespace nsr {

/// Shared by a directory and its writers, so that commit() cannot make a directory complete whose data was lost.
/// Writers may be in different threads.
struct WriterLedger {
  struct Held {
    std::string file, bytes;
  };
  std::mutex mutex;  ///< for what follows
  std::vector<std::string> created;
  int open = 0;            ///< writers not yet finished
  std::string lost;        ///< name of an image whose data could not be written
  std::vector<Held> held;  ///< finished images that are no files yet
};

struct ImageWriter::State {
  UniqueFd fd;       ///< none: the file is made when its content is more than the buffer holds
  int dir = -1;      ///< where
  std::string file;  ///< under which name
  std::string name;
  Img type;
  std::string buffer;
  bool started = false;  ///< the header is in the buffer or in the file
  bool finished = false;
  bool failed = false;  ///< bytes were lost; said once
  std::shared_ptr<WriterLedger> ledger;

  ~State();
  void start();
  void put(const void* bytes, size_t n);
  void write_all(const void* bytes, size_t n);
  void flush();
  void finish();
  void close();
};

/// A new file, 0644; one of that name is removed. shown: its name in messages. Throws Error(io).
UniqueFd create_image_file(int dir, const std::string& name, const std::string& shown);

}  // namespace nsr
