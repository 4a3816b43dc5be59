#include "pidns/image_ids.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

constexpr uint32_t common_magic = 0x54564319;
constexpr uint32_t pstree_magic = 0x50273030;
constexpr uint32_t max_id = 1u << 22;  // PID_MAX_LIMIT of 64-bit kernels

/// Reads the wire format of one protobuf message (varints and tagged fields). Every read fails at the end of the bytes.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }

  bool varint(uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (rest_.empty()) return false;
      auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      if (shift < 64) out |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) return true;
    }
    return false;
  }
  bool fixed32(uint32_t& out) {
    if (rest_.size() < 4) return false;
    out = 0;
    for (int i = 3; i >= 0; --i) out = out << 8 | static_cast<unsigned char>(rest_[static_cast<size_t>(i)]);
    rest_.remove_prefix(4);
    return true;
  }
  bool bytes(uint64_t n, std::string_view& out) {
    if (n > rest_.size()) return false;
    out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return true;
  }
  bool delimited(std::string_view& out) {
    uint64_t n;
    return varint(n) && bytes(n, out);
  }

 private:
  std::string_view rest_;
};

enum Field : uint64_t { pid = 1, ppid = 2, pgid = 3, sid = 4, threads = 5 };
enum WireType : unsigned { varint = 0, fixed64 = 1, delimited = 2, fixed32 = 5 };

bool add_id(uint64_t id, ImageIds& into) {
  if (id > max_id) return false;
  if (id != 0) into.ids.push_back(static_cast<int32_t>(id));
  return true;
}

bool skip(Wire& in, unsigned type) {
  std::string_view ignored;
  uint64_t number;
  switch (type) {
    case WireType::varint:
      return in.varint(number);
    case WireType::fixed64:
      return in.bytes(8, ignored);
    case WireType::delimited:
      return in.delimited(ignored);
    case WireType::fixed32:
      return in.bytes(4, ignored);
    default:
      return false;
  }
}

bool add_packed(std::string_view bytes, ImageIds& into) {
  Wire in(bytes);
  uint64_t id;
  while (!in.done())
    if (!in.varint(id) || !add_id(id, into)) return false;
  return true;
}

/// One pstree_entry. own_pid is 0 when the message names none.
bool add_entry(std::string_view message, ImageIds& into, uint64_t& own_pid) {
  Wire in(message);
  own_pid = 0;
  while (!in.done()) {
    uint64_t tag, id;
    if (!in.varint(tag)) return false;
    uint64_t field = tag >> 3;
    auto type = static_cast<unsigned>(tag & 7);
    if (type == WireType::varint && field >= Field::pid && field <= Field::threads) {
      if (!in.varint(id) || !add_id(id, into)) return false;
      if (field == Field::pid) own_pid = id;
    } else if (type == WireType::delimited && field == Field::threads) {
      std::string_view packed;
      if (!in.delimited(packed) || !add_packed(packed, into)) return false;
    } else if (!skip(in, type)) {
      return false;
    }
  }
  return own_pid != 0;
}

}  // namespace

bool ImageIds::uses(int32_t id) const { return std::binary_search(ids.begin(), ids.end(), id); }

std::optional<int32_t> id_of_core_name(std::string_view file_name) {
  Scanner in(file_name);
  if (!in.literal("core-")) return std::nullopt;
  auto id = in.number();
  if (!id || *id == 0 || *id > max_id || in.rest() != ".img") return std::nullopt;
  return static_cast<int32_t>(*id);
}

bool add_pstree_ids(std::string_view file, ImageIds& into) {
  Wire in(file);
  uint32_t word, size;
  if (!in.fixed32(word)) return false;
  // Images of the old layout (inventory version 1) carry the type word alone.
  if (word == common_magic && !in.fixed32(word)) return false;
  if (word != pstree_magic) return false;
  for (bool first = true; !in.done(); first = false) {
    std::string_view message;
    uint64_t own_pid;
    if (!in.fixed32(size) || !in.bytes(size, message) || !add_entry(message, into, own_pid)) return false;
    if (first) into.root_is_init = own_pid == 1;
  }
  return true;
}

void settle(ImageIds& ids) {
  std::sort(ids.ids.begin(), ids.ids.end());
  ids.ids.erase(std::unique(ids.ids.begin(), ids.ids.end()), ids.ids.end());
}

ImageIds read_image_ids(const char* directory) {
  auto object = [&] { return std::string("images directory ") + directory; };
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory), ::closedir);
  if (!dir)
    throw_errno(Failure::image, object(), "cannot be opened", errno, "name the directory of the images with -D");
  ImageIds ids;
  errno = 0;
  while (dirent* entry = ::readdir(dir.get())) {
    if (auto id = id_of_core_name(entry->d_name)) ids.ids.push_back(*id);
    errno = 0;
  }
  if (errno != 0) throw_errno(Failure::image, object(), "cannot be read", errno);
  auto pstree = read_file_at(::dirfd(dir.get()), "pstree.img");
  if (!pstree && errno != ENOENT) throw_errno(Failure::image, object() + " pstree.img", "cannot be read", errno);
  if (pstree && !add_pstree_ids(*pstree, ids))
    throw Error(Failure::image, object() + " pstree.img", "the file is damaged", "dump the tree again");
  settle(ids);
  return ids;
}

}  // namespace nsr
