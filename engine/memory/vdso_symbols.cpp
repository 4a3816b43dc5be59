#include "engine/memory/vdso_symbols.h"

#include <elf.h>

#include <cstring>
#include <optional>

namespace nsr {
namespace {

template <class T>
std::optional<T> at(std::span<const std::byte> image, uint64_t offset) {
  T v;
  if (offset > image.size() || image.size() - offset < sizeof v) return std::nullopt;
  std::memcpy(&v, image.data() + offset, sizeof v);
  return v;
}

struct Tables {
  uint64_t symbols = 0, strings = 0;
};

/// A vDSO is linked at 0 with all of it in one segment: addresses are offsets. Its strings follow its symbols.
std::optional<Tables> tables(std::span<const std::byte> image) {
  auto head = at<Elf64_Ehdr>(image, 0);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_ident[EI_CLASS] != ELFCLASS64)
    return std::nullopt;
  Tables out;
  for (unsigned i = 0; i < head->e_phnum; i++) {
    auto segment = at<Elf64_Phdr>(image, head->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return std::nullopt;
    if (segment->p_type != PT_DYNAMIC) continue;
    for (uint64_t k = 0; k < segment->p_filesz / sizeof(Elf64_Dyn); k++) {
      auto entry = at<Elf64_Dyn>(image, segment->p_offset + k * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_SYMTAB) out.symbols = entry->d_un.d_ptr;
      if (entry->d_tag == DT_STRTAB) out.strings = entry->d_un.d_ptr;
    }
  }
  if (out.symbols == 0 || out.strings <= out.symbols || out.strings >= image.size()) return std::nullopt;
  return out;
}

std::string text_at(std::span<const std::byte> image, uint64_t offset) {
  std::string out;
  for (; offset < image.size() && out.size() < 256; offset++) {
    char c = static_cast<char>(image[offset]);
    if (c == 0) return out;
    out += c;
  }
  return {};
}

}  // namespace

std::map<std::string, VdsoFunction> vdso_functions(std::span<const std::byte> image) {
  std::map<std::string, VdsoFunction> out;
  auto found = tables(image);
  if (!found) return out;
  for (uint64_t where = found->symbols; where + sizeof(Elf64_Sym) <= found->strings; where += sizeof(Elf64_Sym)) {
    auto symbol = at<Elf64_Sym>(image, where);
    if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
    if (symbol->st_value >= image.size() || symbol->st_size > image.size() - symbol->st_value) continue;
    std::string name = text_at(image, found->strings + symbol->st_name);
    if (!name.empty()) out[name] = {symbol->st_value, symbol->st_size};
  }
  return out;
}

}  // namespace nsr
