#include "engine/procfs/fdinfo.h"
#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "fdinfo";
constexpr uint32_t kMaxHandle = 128;  // MAX_HANDLE_SZ

std::string parse_hex_bytes(LineParser& p, uint32_t count) {
  auto digit = [&](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    p.fail("not a hexadecimal digit");
  };
  std::string_view hex = p.word();
  if (hex.size() != 2 * size_t{count}) p.fail("length of the file handle differs from fhandle-bytes");
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return bytes;
}

/// "fhandle-bytes:8 fhandle-type:1 f_handle:...", all numbers hexadecimal; nothing at the end of a line.
std::optional<FileHandle> parse_handle(LineParser& p) {
  if (p.at_end()) return std::nullopt;
  FileHandle handle;
  p.expect("fhandle-bytes:");
  uint32_t count = p.hex<uint32_t>();
  if (count > kMaxHandle) p.fail("file handle too long");
  p.field("fhandle-type:");
  handle.type = p.hex<uint32_t>();
  p.field("f_handle:");
  if (count > 0) handle.bytes = parse_hex_bytes(p, count);
  p.end();
  return handle;
}

InotifyWatch parse_watch(LineParser& p) {
  InotifyWatch w;
  p.field("wd:");
  w.wd = static_cast<int32_t>(p.hex<uint32_t>());
  p.field("ino:");
  w.ino = p.hex();
  p.field("sdev:");
  w.sdev = p.hex<uint32_t>();
  p.field("mask:");
  w.mask = p.hex<uint32_t>();
  p.field("ignored_mask:");
  w.ignored_mask = p.hex<uint32_t>();
  w.handle = parse_handle(p);
  return w;
}

/// Cursor stands behind "fanotify " of any line but the first.
FanotifyMark parse_mark(LineParser& p) {
  FanotifyMark m;
  if (p.accept("ino:")) {
    m.ino = p.hex();
    p.field("sdev:");
    m.sdev = p.hex<uint32_t>();
  } else if (p.accept("mnt_id:")) {
    m.kind = FanotifyMark::Kind::mount;
    m.mnt_id = static_cast<int32_t>(p.hex<uint32_t>());
  } else if (p.accept("sdev:")) {
    m.kind = FanotifyMark::Kind::filesystem;
    m.sdev = p.hex<uint32_t>();
  } else if (p.accept("mnt_ns:")) {
    m.kind = FanotifyMark::Kind::mount_namespace;
    m.mnt_ns = p.number<uint32_t>();
  } else {
    p.fail("unknown kind of fanotify mark");
  }
  p.field("mflags:");
  m.mflags = p.hex<uint32_t>();
  p.field("mask:");
  m.mask = p.hex<uint32_t>();
  p.field("ignored_mask:");
  m.ignored_mask = p.hex<uint32_t>();
  m.handle = parse_handle(p);
  return m;
}

}  // namespace

std::vector<InotifyWatch> parse_inotify(std::string_view text) {
  std::vector<InotifyWatch> watches;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    LineParser p(kKind, *line);
    if (p.accept("inotify ")) watches.push_back(parse_watch(p));
  }
  return watches;
}

FanotifyInfo parse_fanotify(std::string_view text) {
  FanotifyInfo info;
  bool seen = false;
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    LineParser p(kKind, *line);
    if (!p.accept("fanotify ")) continue;
    if (p.accept("flags:")) {
      info.flags = p.hex<uint32_t>();
      p.field("event-flags:");
      info.event_flags = p.hex<uint32_t>();
      p.end();
      seen = true;
    } else {
      info.marks.push_back(parse_mark(p));
    }
  }
  if (!seen) missing(kKind, "fanotify flags");
  return info;
}

}  // namespace nsr::procfs
