#include "engine/files/build_id.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/base/file_io.h"

namespace nsr {
namespace {

constexpr size_t kMostHeaders = 512;
constexpr size_t kLargestNotes = 64 * 1024;
constexpr size_t kLargestId = 64;

struct Segment {
  uint64_t offset, size, align;
};

template <class Ehdr, class Phdr>
std::vector<Segment> note_segments(int fd) {
  Ehdr header;
  if (!pread_exact(fd, &header, sizeof header, 0)) return {};
  if (header.e_phentsize != sizeof(Phdr) || header.e_phnum > kMostHeaders) return {};
  std::vector<Phdr> table(header.e_phnum);
  if (!pread_exact(fd, table.data(), table.size() * sizeof(Phdr), static_cast<off_t>(header.e_phoff))) return {};
  std::vector<Segment> notes;
  for (const Phdr& p : table)
    if (p.p_type == PT_NOTE && p.p_filesz <= kLargestNotes) notes.push_back({p.p_offset, p.p_filesz, p.p_align});
  return notes;
}

std::vector<uint32_t> words(const char* bytes, size_t n) {
  std::vector<uint32_t> list((n + 3) / 4, 0);
  std::memcpy(list.data(), bytes, n);
  return list;
}

/// Walks one note segment. Name and descriptor are padded to the segment's alignment, 8 only where it says so.
std::vector<uint32_t> find_in(const std::string& notes, uint64_t align) {
  const size_t pad = align == 8 ? 8 : 4;
  auto round = [&](size_t n) { return (n + pad - 1) & ~(pad - 1); };
  size_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
    Elf64_Nhdr n;  // the 32-bit header has the same layout
    std::memcpy(&n, notes.data() + at, sizeof n);
    if (n.n_namesz > notes.size() || n.n_descsz > notes.size()) return {};
    size_t name = at + sizeof n;
    size_t desc = at + round(sizeof n + n.n_namesz);
    if (desc + n.n_descsz > notes.size()) return {};
    if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && std::memcmp(notes.data() + name, "GNU", 4) == 0)
      return n.n_descsz <= kLargestId ? words(notes.data() + desc, n.n_descsz) : std::vector<uint32_t>();
    at = desc + round(n.n_descsz);
  }
  return {};
}

}  // namespace

std::vector<uint32_t> read_build_id(int fd) {
  unsigned char ident[EI_NIDENT];
  if (!pread_exact(fd, ident, sizeof ident, 0) || std::memcmp(ident, ELFMAG, SELFMAG) != 0) return {};
  std::vector<Segment> segments;
  if (ident[EI_CLASS] == ELFCLASS64) segments = note_segments<Elf64_Ehdr, Elf64_Phdr>(fd);
  if (ident[EI_CLASS] == ELFCLASS32) segments = note_segments<Elf32_Ehdr, Elf32_Phdr>(fd);
  for (const Segment& s : segments) {
    std::string notes(s.size, '\0');
    if (!pread_exact(fd, notes.data(), notes.size(), static_cast<off_t>(s.offset))) continue;
    if (auto id = find_in(notes, s.align); !id.empty()) return id;
  }
  return {};
}

}  // namespace nsr
