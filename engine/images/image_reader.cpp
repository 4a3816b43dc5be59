#include <fcntl.h>
#include <google/protobuf/message_lite.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/images/image_types.h"

namespace nsr {
namespace {
constexpr size_t kBuffer = 64 << 10;
}

struct ImageReader::State {
  UniqueFd fd;
  std::string name;
  uint64_t size = 0;
  uint64_t offset = 0;  ///< of the cursor
  std::string buffer;   ///< file bytes from buffer_at on
  uint64_t buffer_at = 0;
  std::string large;  ///< a record that does not fit into the buffer

  [[noreturn]] void damaged(uint64_t at, const std::string& cause) const {
    throw Error(Failure::image, format("%s at offset %" PRIu64, name.c_str(), at), cause,
                "the file is damaged or no image: use an undamaged copy");
  }
  void pread_at(void* to, size_t n, uint64_t at);
  /// n bytes at the cursor, which moves behind them. Valid until the next call.
  const char* take(size_t n, const char* what);
  uint32_t word(const char* what);
  void header(Img type, ImageLayout layout);
};

void ImageReader::State::pread_at(void* to, size_t n, uint64_t at) {
  if (pread_exact(fd.get(), to, n, static_cast<off_t>(at))) return;
  if (errno) throw_errno(Failure::image, name, format("cannot be read at offset %" PRIu64, at), errno);
  damaged(at, "the file became shorter while it was read");
}

const char* ImageReader::State::take(size_t n, const char* what) {
  uint64_t left = size - offset;
  if (n > left) damaged(offset, format("%s of %zu bytes, but the file ends after %" PRIu64, what, n, left));
  uint64_t at = offset;
  offset += n;
  if (at >= buffer_at && at + n <= buffer_at + buffer.size()) return buffer.data() + (at - buffer_at);
  if (n > kBuffer) {
    large.resize(n);
    pread_at(large.data(), n, at);
    return large.data();
  }
  buffer.resize(std::min<uint64_t>(kBuffer, left));
  buffer_at = at;
  pread_at(buffer.data(), buffer.size(), at);
  return buffer.data();
}

uint32_t ImageReader::State::word(const char* what) {
  uint32_t w;
  std::memcpy(&w, take(sizeof w, what), sizeof w);
  return w;
}

void ImageReader::State::header(Img type, ImageLayout layout) {
  const ImageType& t = image_type(type);
  if (t.framing == Framing::raw) return;
  auto expect = [&](uint32_t wanted, const char* what) {
    uint64_t at = offset;
    uint32_t found = word(what);
    if (found != wanted) damaged(at, format("%s is 0x%08x, not 0x%08x", what, found, wanted));
  };
  if (t.framing == Framing::service) expect(kServiceMagic, "the service magic");
  if (t.framing == Framing::common && layout == ImageLayout::v2) expect(kCommonMagic, "the common magic");
  expect(t.magic, "the type magic");
}

ImageReader::ImageReader(UniqueFd fd, std::string name, Img type, ImageLayout layout) : s_(std::make_unique<State>()) {
  s_->fd = std::move(fd);
  s_->name = std::move(name);
  struct stat st {};
  if (::fstat(s_->fd.get(), &st) != 0) throw_errno(Failure::image, s_->name, "cannot be looked at", errno);
  if (!S_ISREG(st.st_mode)) throw Error(Failure::image, s_->name, "is not a regular file");
  s_->size = static_cast<uint64_t>(st.st_size);
  s_->header(type, layout);
}

ImageReader::ImageReader(ImageReader&&) noexcept = default;
ImageReader& ImageReader::operator=(ImageReader&&) noexcept = default;
ImageReader::~ImageReader() = default;

bool ImageReader::next(google::protobuf::MessageLite& record) {
  if (left() == 0) return false;
  uint64_t at = s_->offset;
  uint32_t size = s_->word("the size word of a record");
  if (size > kMaxRecord) s_->damaged(at, format("a record of %u bytes is larger than any real one", size));
  const char* bytes = s_->take(size, "a record");
  if (!record.ParsePartialFromArray(bytes, static_cast<int>(size)))
    s_->damaged(at, "the record is not a well-formed " + record.GetTypeName());
  if (!record.IsInitialized()) s_->damaged(at, "the record lacks a required field of " + record.GetTypeName());
  return true;
}

void ImageReader::one(google::protobuf::MessageLite& record) {
  if (!next(record)) s_->damaged(s_->offset, "a record of " + record.GetTypeName() + " is missing");
}

void ImageReader::raw(void* bytes, size_t n) {
  if (n <= kBuffer) {
    std::memcpy(bytes, s_->take(n, "payload"), n);
    return;
  }
  if (n > left()) s_->take(n, "payload");  // says what is wrong
  s_->pread_at(bytes, n, s_->offset);
  s_->offset += n;
}

std::string ImageReader::raw(size_t n) {
  if (n > left()) s_->take(n, "payload");  // before memory is asked for
  std::string bytes(n, '\0');
  raw(bytes.data(), n);
  return bytes;
}

void ImageReader::skip(uint64_t n) {
  if (n > left())
    s_->damaged(s_->offset, format("payload of %" PRIu64 " bytes, but the file ends after %" PRIu64, n, left()));
  s_->offset += n;
}

void ImageReader::end() {
  if (left() != 0) s_->damaged(s_->offset, format("%" PRIu64 " bytes too many at the end", left()));
}

uint64_t ImageReader::offset() const { return s_->offset; }
uint64_t ImageReader::left() const { return s_->size - s_->offset; }
int ImageReader::fd() const { return s_->fd.get(); }
const std::string& ImageReader::name() const { return s_->name; }

}  // namespace nsr
