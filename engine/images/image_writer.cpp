#include "engine/images/image_writer.h"

#include <google/protobuf/message_lite.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/images/image_types.h"

namespace nsr {
namespace {

const Logger log("images");
constexpr size_t kBuffer = 64 << 10;

}  // namespace

ImageWriter::State::~State() {
  if (finished) return;
  try {
    if (!failed) finish();
  } catch (const std::exception& e) {
    log.error("%s", e.what());
  }
  if (!finished) close();
}

void ImageWriter::State::close() {
  if (!ledger) return;
  std::lock_guard lock(ledger->mutex);
  ledger->open--;
}

void ImageWriter::State::write_all(const void* bytes, size_t n) {
  if (!fd) fd = create_image_file(dir, file, name);
  if (write_exact(fd.get(), bytes, n)) return;
  int err = errno ? errno : EIO;
  failed = true;
  if (ledger) {
    std::lock_guard lock(ledger->mutex);
    ledger->lost = name;
  }
  throw_errno(Failure::io, name, format("%zu bytes cannot be written", n), err,
              err == ENOSPC || err == EDQUOT ? "make room on that file system" : "");
}

void ImageWriter::State::start() {
  if (started) return;
  started = true;
  const ImageType& t = image_type(type);
  if (t.framing == Framing::raw) return;
  const uint32_t words[2] = {t.framing == Framing::common ? kCommonMagic : kServiceMagic, t.magic};
  if (t.framing == Framing::single)
    put(&t.magic, sizeof t.magic);
  else
    put(words, sizeof words);
}

void ImageWriter::State::put(const void* bytes, size_t n) {
  if (buffer.size() + n > kBuffer) flush();
  if (n >= kBuffer)
    write_all(bytes, n);
  else
    buffer.append(static_cast<const char*>(bytes), n);
}

void ImageWriter::State::flush() {
  if (buffer.empty()) return;
  write_all(buffer.data(), buffer.size());
  buffer.clear();
}

void ImageWriter::State::finish() {
  start();
  if (fd) {
    flush();
  } else if (!finished) {
    std::lock_guard lock(ledger->mutex);
    ledger->held.push_back({file, std::move(buffer)});
  }
  if (!finished) close();
  finished = true;
}

ImageWriter::ImageWriter(UniqueFd fd, std::string name, Img type) : s_(std::make_unique<State>()) {
  s_->fd = std::move(fd);
  s_->name = std::move(name);
  s_->type = type;
}

ImageWriter::ImageWriter(ImageWriter&&) noexcept = default;
ImageWriter& ImageWriter::operator=(ImageWriter&&) noexcept = default;
ImageWriter::~ImageWriter() = default;

void ImageWriter::write(const google::protobuf::MessageLite& record) {
  if (!record.IsInitialized())
    throw Error(Failure::internal, s_->name, "a required field of " + record.GetTypeName() + " is not set");
  size_t size = record.ByteSizeLong();
  if (size > kMaxRecord)
    throw Error(Failure::unsupported, s_->name,
                format("a record of %zu bytes is larger than the %u bytes that a reader accepts", size, kMaxRecord));
  s_->start();
  uint32_t head = static_cast<uint32_t>(size);
  s_->put(&head, sizeof head);
  if (size >= kBuffer) {
    std::string bytes;
    record.SerializeToString(&bytes);
    s_->put(bytes.data(), bytes.size());
  } else {
    if (s_->buffer.size() + size > kBuffer) s_->flush();
    record.AppendToString(&s_->buffer);
  }
}

void ImageWriter::raw(const void* bytes, size_t n) {
  s_->start();
  s_->put(bytes, n);
}

int ImageWriter::fd() const {
  s_->start();
  s_->flush();
  if (!s_->fd) s_->fd = create_image_file(s_->dir, s_->file, s_->name);
  return s_->fd.get();
}

void ImageWriter::finish() { s_->finish(); }

}  // namespace nsr
