// What is inside of a pipe or FIFO, and how pipes-data.img and fifo-data.img carry it.
//
// Wire: one record a pipe {pipe_id, bytes, size = capacity}, the bytes behind it. Where packets (O_DIRECT, pipe(2)) are
// inside, their lengths follow in a record of pipe_id 0, which no pipe has: readers that do not know it get the bytes
// without their borders. In the same way records tell that the other end of a pipe was outside of the tree, and that a
// pipe was full although its bytes are fewer than its capacity: small writes leave the rest of a page unused.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/unique_fd.h"
#include "engine/descriptors/kind.h"
#include "engine/images/image_dir.h"

namespace nsr {

/// What was read of a pipe without taking it out.
struct PipeContent {
  uint32_t capacity = 0;
  std::string bytes;
  std::vector<uint32_t> packets;  ///< lengths of the packets; empty for a plain byte stream
};

/// Looks into a pipe through one of its read ends (tee(2): nothing is consumed, nobody is woken).
/// Throws Error(unsupported) naming the object when its pages cannot be duplicated.
PipeContent peek_pipe(int read_end, const std::string& object);

/// Appends it to one of the two images.
void write_pipe_content(ImageWriter& out, uint32_t pipe_id, const PipeContent& content);

/// Notes that the other end of this pipe was outside of the tree.
void write_pipe_outside(ImageWriter& out, uint32_t pipe_id);

/// Whether a byte stream is shorter than the pipe's capacity.
bool has_slack(const PipeContent& content);
/// Whether a write end takes no byte more.
bool is_full(int write_end);
/// Notes that no byte more went into this pipe; behind its content.
void write_pipe_full(ImageWriter& out, uint32_t pipe_id);

/// The image, read at the first use; a content is let go of when it was used.
class PipeContents {
 public:
  explicit PipeContents(Img type) : type_(type) {}
  /// The pipe's end must be O_NONBLOCK. Sets the capacity and writes the bytes through a write end. Throws
  /// Error(environment) when they do not fit, Error(image) for an image that contradicts itself.
  void fill(uint32_t pipe_id, int write_end, const std::string& object, RestoreContext& ctx);
  bool is_outside(uint32_t pipe_id, RestoreContext& ctx);

 private:
  struct Place {
    uint32_t capacity = 0;
    std::string content;
    std::vector<uint32_t> packets;
  };
  void read_index(RestoreContext& ctx);
  void read_note(ImageReader& in, uint32_t bytes);

  Img type_;
  bool read_ = false;
  std::map<uint32_t, Place> places_;
  std::set<uint32_t> outside_, full_;
};

}  // namespace nsr
