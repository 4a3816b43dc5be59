// What an ImageDir knows about the writers that it handed out.
#pragma once

#include <memory>
#include <string>

#include "engine/images/image_dir.h"

namespace nsr {

/// Shared by a directory and its writers, so that commit() cannot make a directory complete whose data was lost.
struct WriterLedger {
  int open = 0;      ///< writers not yet finished
  std::string lost;  ///< name of an image whose data could not be written
};

struct ImageWriter::State {
  UniqueFd fd;
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
};

}  // namespace nsr
