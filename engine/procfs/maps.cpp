#include "engine/procfs/maps.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "maps";

int parse_prot(LineParser& p, bool& shared) {
  std::string_view perms = p.word();
  if (perms.size() != 4) p.fail("permissions are not four letters");
  auto bit = [&](size_t at, char letter, int value) {
    if (perms[at] == letter) return value;
    if (perms[at] != '-') p.fail("unknown permission");
    return 0;
  };
  int prot = bit(0, 'r', PROT_READ) | bit(1, 'w', PROT_WRITE) | bit(2, 'x', PROT_EXEC);
  if (perms[3] != 's' && perms[3] != 'p') p.fail("neither shared nor private");
  shared = perms[3] == 's';
  return prot;
}

/// The kernel writes a newline in a path as \012 and escapes nothing else.
std::string unescape(std::string_view name) {
  std::string out(name);
  for (size_t at = out.find("\\012"); at != std::string::npos; at = out.find("\\012", at + 1))
    out.replace(at, 4, 1, '\n');
  return out;
}

bool ends_deleted(std::string_view name) { return name.ends_with(" (deleted)"); }

}  // namespace

MapsEntry parse_maps_line(std::string_view line) {
  LineParser p(kKind, line);
  MapsEntry vma;
  vma.start = p.hex();
  p.expect("-");
  vma.end = p.hex();
  if (vma.end <= vma.start) p.fail("empty range");
  vma.prot = parse_prot(p, vma.shared);
  vma.offset = p.hex();
  vma.dev_major = p.hex<uint32_t>();
  p.expect(":");
  vma.dev_minor = p.hex<uint32_t>();
  vma.inode = p.number();
  if (!p.rest().empty() && p.rest()[0] != ' ') p.fail("no blank behind the inode");
  if (!p.at_end()) vma.name = unescape(p.rest());
  return vma;
}

std::vector<MapsEntry> parse_maps(std::string_view text) {
  std::vector<MapsEntry> vmas;
  vmas.reserve(text.size() / 48 + 1);  // the shortest line of a 64-bit task is about that long
  Lines lines(kKind, text);
  while (auto line = lines.next()) {
    MapsEntry vma = parse_maps_line(*line);
    if (!vmas.empty() && vma.start < vmas.back().end) bad_line(kKind, *line, "overlaps the line before");
    vmas.push_back(std::move(vma));
  }
  return vmas;
}

VmaNaming naming(const MapsEntry& vma) {
  std::string_view name = vma.name;
  if (name.empty()) return VmaNaming::none;
  if (name[0] == '[') {
    if (name == "[heap]") return VmaNaming::heap;
    if (name == "[stack]" || name.starts_with("[stack:")) return VmaNaming::stack;
    if (name == "[vdso]") return VmaNaming::vdso;
    if (name == "[vvar]" || name.starts_with("[vvar_")) return VmaNaming::vvar;
    if (name == "[vsyscall]") return VmaNaming::vsyscall;
    if (name.starts_with("[anon:")) return VmaNaming::anon;
    if (name.starts_with("[anon_shmem:")) return VmaNaming::anon_shmem;
    return VmaNaming::special;
  }
  if (name.starts_with("anon_inode:")) return VmaNaming::anon_inode;
  if (ends_deleted(name)) {
    if (name.starts_with("/SYSV")) return VmaNaming::sysv_shm;
    if (name.starts_with("/memfd:")) return VmaNaming::memfd;
    if (name == "/dev/zero (deleted)") return VmaNaming::dev_zero;
  }
  return VmaNaming::path;
}

std::string_view given_name(const MapsEntry& vma) {
  std::string_view name = vma.name;
  auto inside = [&](std::string_view before, std::string_view after) {
    name.remove_prefix(before.size());
    if (name.ends_with(after)) name.remove_suffix(after.size());
    return name;
  };
  switch (naming(vma)) {
    case VmaNaming::anon:
      return inside("[anon:", "]");
    case VmaNaming::anon_shmem:
      return inside("[anon_shmem:", "]");
    case VmaNaming::memfd:
      return inside("/memfd:", " (deleted)");
    default:
      return {};
  }
}

}  // namespace nsr::procfs
