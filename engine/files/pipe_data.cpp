#include "engine/files/pipe_data.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <numeric>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "pipe-data.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr uint32_t kNoteId = 0;
constexpr std::string_view kPacketsMark = "nsrpack1";
constexpr std::string_view kOutsideMark = "nsroutsd";
constexpr std::string_view kFullMark = "nsrfullp";
constexpr size_t kPage = 4096;                      // what one place of a pipe holds at most
constexpr size_t kNoteHead = 8 + sizeof(uint32_t);  // mark, pipe id; then a list of u32
constexpr uint32_t kMostBytes = 1u << 30;

struct Ends {
  UniqueFd read, write;
};

Ends fresh_pipe(const std::string& object) {
  int fd[2];
  if (::pipe2(fd, O_CLOEXEC | O_NONBLOCK) != 0) throw_errno(Failure::environment, object, "pipe2 failed", errno);
  return {UniqueFd(fd[0]), UniqueFd(fd[1])};
}

/// Everything that the copy holds. A read ends behind a packet, so more than one read tells of borders.
void drain(int fd, PipeContent& content, size_t expected, const std::string& object) {
  content.bytes.resize(expected);
  size_t done = 0;
  while (done < expected) {
    ssize_t n = ::read(fd, content.bytes.data() + done, expected - done);
    if (n <= 0) throw_errno(Failure::unsupported, object, "the copy of its content ends early", n < 0 ? errno : EIO);
    done += static_cast<size_t>(n);
    content.packets.push_back(static_cast<uint32_t>(n));
  }
}

void write_note(ImageWriter& out, std::string_view mark, uint32_t pipe_id, const std::vector<uint32_t>& list) {
  std::string note(mark);
  note.append(reinterpret_cast<const char*>(&pipe_id), sizeof pipe_id);
  note.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(uint32_t));
  pb::pipe_data_entry entry;
  entry.set_pipe_id(kNoteId);
  entry.set_bytes(static_cast<uint32_t>(note.size()));
  out.write(entry);
  out.raw(note.data(), note.size());
}

}  // namespace

PipeContent peek_pipe(int read_end, const std::string& object) {
  PipeContent content;
  int capacity = ::fcntl(read_end, F_GETPIPE_SZ);
  int inside = 0;
  if (capacity < 0 || ::ioctl(read_end, FIONREAD, &inside) != 0)
    throw_errno(Failure::unsupported, object, "its capacity cannot be read", errno);
  content.capacity = static_cast<uint32_t>(capacity);
  if (inside == 0) return content;
  Ends copy = fresh_pipe(object);
  // tee takes buffers, not bytes: the copy needs as many slots. Above pipe-max-size that takes CAP_SYS_RESOURCE, but
  // what is inside may fit all the same.
  (void)::fcntl(copy.write.get(), F_SETPIPE_SZ, capacity);
  ssize_t n = ::tee(read_end, copy.write.get(), INT_MAX, SPLICE_F_NONBLOCK);
  if (n != inside)
    throw_errno(Failure::unsupported, object, format("only %zd of the %d bytes inside could be looked at", n, inside),
                n < 0 ? errno : EPERM, "raise /proc/sys/fs/pipe-max-size to the pipe's capacity");
  drain(copy.read.get(), content, static_cast<size_t>(inside), object);
  if (content.packets.size() == 1 && (::fcntl(read_end, F_GETFL) & O_DIRECT) == 0) content.packets.clear();
  return content;
}

void write_pipe_content(ImageWriter& out, uint32_t pipe_id, const PipeContent& content) {
  pb::pipe_data_entry entry;
  entry.set_pipe_id(pipe_id);
  entry.set_bytes(static_cast<uint32_t>(content.bytes.size()));
  entry.set_size(content.capacity);
  out.write(entry);
  out.raw(content.bytes.data(), content.bytes.size());
  if (content.packets.empty()) return;
  write_note(out, kPacketsMark, pipe_id, content.packets);
}

void write_pipe_outside(ImageWriter& out, uint32_t pipe_id) { write_note(out, kOutsideMark, pipe_id, {}); }

bool has_slack(const PipeContent& content) {
  return content.packets.empty() && content.bytes.size() < content.capacity;
}

bool is_full(int write_end) {
  pollfd p{write_end, POLLOUT, 0};
  return ::poll(&p, 1, 0) == 0;
}

void write_pipe_full(ImageWriter& out, uint32_t pipe_id) { write_note(out, kFullMark, pipe_id, {}); }

void PipeContents::read_note(ImageReader& in, uint32_t bytes) {
  std::string note = in.raw(bytes);
  if (note.size() < kNoteHead || note.size() % sizeof(uint32_t) != 0) return;  // somebody else's record
  std::string_view mark(note.data(), kPacketsMark.size());
  uint32_t id;
  std::memcpy(&id, note.data() + mark.size(), sizeof id);
  if (mark == kOutsideMark) outside_.insert(id);
  if (mark == kFullMark) full_.insert(id);
  if (mark != kPacketsMark) return;
  std::vector<uint32_t> packets((note.size() - kNoteHead) / sizeof(uint32_t));
  std::memcpy(packets.data(), note.data() + kNoteHead, packets.size() * sizeof(uint32_t));
  auto at = places_.find(id);
  uint64_t sum = std::accumulate(packets.begin(), packets.end(), uint64_t{0});
  if (at == places_.end() || sum != at->second.content.size())
    throw Error(Failure::image, in.name(), format("the packets of pipe %u do not sum up to its bytes", id));
  at->second.packets = std::move(packets);
}

bool PipeContents::is_outside(uint32_t pipe_id, RestoreContext& ctx) {
  if (!read_) read_index(ctx);
  return outside_.count(pipe_id) > 0;
}

void PipeContents::read_index(RestoreContext& ctx) {
  read_ = true;
  auto in = ctx.images().open(type_);
  if (!in) return;
  pb::pipe_data_entry entry;
  while (in->next(entry)) {
    if (entry.bytes() > kMostBytes || entry.bytes() > in->left())
      throw Error(Failure::image, in->name(),
                  format("pipe %u has %u bytes, but %llu are left in the file", entry.pipe_id(), entry.bytes(),
                         static_cast<unsigned long long>(in->left())));
    if (entry.pipe_id() == kNoteId) {
      read_note(*in, entry.bytes());
      continue;
    }
    Place place;
    place.capacity = entry.size();
    place.content = in->raw(entry.bytes());
    if (!places_.emplace(entry.pipe_id(), std::move(place)).second)
      throw Error(Failure::image, in->name(), format("has the content of pipe %u twice", entry.pipe_id()));
  }
}

namespace {

void set_capacity(int fd, uint32_t capacity, uint32_t bytes, const std::string& object) {
  if (capacity == 0 || static_cast<int>(capacity) == ::fcntl(fd, F_GETPIPE_SZ)) return;
  if (::fcntl(fd, F_SETPIPE_SZ, capacity) >= 0) return;
  int now = ::fcntl(fd, F_GETPIPE_SZ);
  if (now >= 0 && static_cast<uint32_t>(now) < bytes)
    throw_errno(Failure::environment, object, format("its capacity of %u bytes cannot be set", capacity), errno,
                "raise /proc/sys/fs/pipe-max-size");
  log.warn("%s: its capacity stays %d bytes instead of %u: %m", object.c_str(), now, capacity);
}

void put(int fd, const char* bytes, size_t n, const std::string& object) {
  if (n > 0 && !write_exact(fd, bytes, n))
    throw_errno(Failure::environment, object, format("%zu bytes do not fit into it", n), errno);
}

/// One write with O_DIRECT is one packet, if it has no more than PIPE_BUF bytes.
void put_packets(int fd, const std::string& bytes, const std::vector<uint32_t>& packets, const std::string& object) {
  const int plain = ::fcntl(fd, F_GETFL) & ~O_DIRECT;
  size_t at = 0;
  for (uint32_t n : packets) {
    // a longer run is a byte stream that ends in one packet: readers saw it in one piece
    size_t head = n > PIPE_BUF ? n - PIPE_BUF : 0;
    put(fd, bytes.data() + at, head, object);
    if (::fcntl(fd, F_SETFL, plain | O_DIRECT) != 0)
      throw_errno(Failure::environment, object, "packet mode cannot be set", errno);
    put(fd, bytes.data() + at + head, n - head, object);
    (void)::fcntl(fd, F_SETFL, plain);
    at += n;
  }
}

/// Pages that a pipe may go on using when they are unmapped here.
class Pages {
 public:
  Pages(size_t size, const std::string& object) : size_(size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw_errno(Failure::environment, object, "memory for its content cannot be mapped", errno);
    start_ = static_cast<char*>(at);
  }
  ~Pages() { ::munmap(start_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  char* page(size_t i) const { return start_ + i * kPage; }

 private:
  char* start_;
  size_t size_;
};

/// Puts something into every place of the pipe, so that it is full. vmsplice(2) takes pages as they are, where write(2)
/// would fill one up before it takes the next.
void put_everywhere(int fd, const std::string& bytes, const std::string& object) {
  const size_t places = static_cast<size_t>(std::max(0, ::fcntl(fd, F_GETPIPE_SZ))) / kPage;
  if (bytes.size() < places || bytes.size() >= places * kPage) return put(fd, bytes.data(), bytes.size(), object);
  Pages pages(places * kPage, object);
  std::vector<iovec> parts;
  size_t at = 0;
  for (size_t i = 0; i < places; ++i) {
    size_t n = bytes.size() / places + (i < bytes.size() % places ? 1 : 0);
    std::memcpy(pages.page(i), bytes.data() + at, n);
    parts.push_back({pages.page(i), n});
    at += n;
  }
  for (size_t done = 0; done < parts.size();) {
    const size_t some = std::min<size_t>(parts.size() - done, IOV_MAX);
    size_t wanted = 0;
    for (size_t i = done; i < done + some; ++i) wanted += parts[i].iov_len;
    ssize_t n = ::vmsplice(fd, &parts[done], some, SPLICE_F_NONBLOCK);
    if (n != static_cast<ssize_t>(wanted))
      throw_errno(Failure::environment, object, format("%zu bytes do not fit into it", wanted), n < 0 ? errno : EAGAIN);
    done += some;
  }
}

}  // namespace

void PipeContents::fill(uint32_t pipe_id, int write_end, const std::string& object, RestoreContext& ctx) {
  if (!read_) read_index(ctx);
  auto at = places_.find(pipe_id);
  if (at == places_.end()) return;
  Place place = std::move(at->second);
  places_.erase(at);
  set_capacity(write_end, place.capacity, static_cast<uint32_t>(place.content.size()), object);
  if (full_.count(pipe_id) && place.packets.empty())
    put_everywhere(write_end, place.content, object);
  else if (place.packets.empty())
    put(write_end, place.content.data(), place.content.size(), object);
  else
    put_packets(write_end, place.content, place.packets, object);
}

}  // namespace nsr
