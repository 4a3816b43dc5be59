#include "engine/sockets/reuseport_program.h"

#include <linux/bpf.h>
#include <linux/btf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

UniqueFd bpf(bpf_cmd command, bpf_attr& attributes) {
  return UniqueFd(static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes)));
}

template <class T>
uint64_t address(const T* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

/// The kernel's types (Documentation/bpf/btf.rst), as far as they are asked for here.
class KernelTypes {
 public:
  /// What the program needs to know; 0 = not found.
  uint32_t iterator = 0;  ///< id of the function that the program hangs on
  uint32_t group_at = 0;  ///< bytes from struct sock to its group, from the group to its program
  uint32_t program_at = 0;

  explicit KernelTypes(const std::string& bytes) : bytes_(bytes) {
    btf_header header{};
    if (!copy(0, header) || header.magic != BTF_MAGIC) return;
    strings_ = header.hdr_len + header.str_off;
    const size_t end = header.hdr_len + header.type_off + header.type_len;
    btf_type type{};
    uint32_t id = 1;
    for (size_t at = header.hdr_len + header.type_off; at < end && copy(at, type); id++) {
      look_at(id, type, at + sizeof type);
      at += sizeof type + size_behind(type);
    }
  }
  bool complete() const { return iterator != 0 && group_at != 0 && program_at != 0; }

 private:
  template <class T>
  bool copy(size_t at, T& to) const {
    if (at + sizeof to > bytes_.size()) return false;
    memcpy(&to, bytes_.data() + at, sizeof to);
    return true;
  }
  bool is_named(uint32_t name, std::string_view wanted) const {
    const size_t at = strings_ + name;
    return at + wanted.size() < bytes_.size() && bytes_.compare(at, wanted.size(), wanted) == 0 &&
           bytes_[at + wanted.size()] == '\0';
  }
  void look_at(uint32_t id, const btf_type& type, size_t members) {
    const uint32_t kind = BTF_INFO_KIND(type.info);
    if (kind == BTF_KIND_FUNC && is_named(type.name_off, "bpf_iter_bpf_sk_storage_map")) iterator = id;
    if (kind == BTF_KIND_STRUCT && is_named(type.name_off, "sock"))
      group_at = offset_of(type, members, "sk_reuseport_cb");
    if (kind == BTF_KIND_STRUCT && is_named(type.name_off, "sock_reuseport"))
      program_at = offset_of(type, members, "prog");
  }
  uint32_t offset_of(const btf_type& type, size_t members, std::string_view name) const {
    btf_member member{};
    for (uint32_t i = 0; i < BTF_INFO_VLEN(type.info) && copy(members + i * sizeof member, member); i++)
      if (is_named(member.name_off, name))
        return (BTF_INFO_KFLAG(type.info) ? BTF_MEMBER_BIT_OFFSET(member.offset) : member.offset) / 8;
    return 0;
  }
  static size_t size_behind(const btf_type& type) {
    constexpr uint32_t kEnum64 = 19;  // BTF_KIND_ENUM64, Linux 6.0
    const size_t count = BTF_INFO_VLEN(type.info);
    switch (BTF_INFO_KIND(type.info)) {
      case BTF_KIND_INT:
        return sizeof(uint32_t);
      case BTF_KIND_ARRAY:
        return sizeof(btf_array);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        return count * sizeof(btf_member);
      case BTF_KIND_ENUM:
        return count * sizeof(btf_enum);
      case kEnum64:
        return count * 3 * sizeof(uint32_t);
      case BTF_KIND_FUNC_PROTO:
        return count * sizeof(btf_param);
      case BTF_KIND_VAR:
        return sizeof(btf_var);
      case BTF_KIND_DATASEC:
        return count * sizeof(btf_var_secinfo);
      case BTF_KIND_DECL_TAG:
        return sizeof(btf_decl_tag);
      default:
        return 0;
    }
  }

  const std::string& bytes_;
  size_t strings_ = 0;
};

/// A map that belongs to sockets; the kernel wants the types of its key and value: an int both.
UniqueFd make_storage() {
  struct {
    btf_header header;
    btf_type type;
    uint32_t encoding;
    char names[5];
  } types{};
  types.header.magic = BTF_MAGIC;
  types.header.version = BTF_VERSION;
  types.header.hdr_len = sizeof types.header;
  types.header.type_len = types.header.str_off = sizeof types.type + sizeof types.encoding;
  types.header.str_len = sizeof types.names;
  types.type.name_off = 1;
  types.type.info = BTF_KIND_INT << 24;
  types.type.size = sizeof(int);
  types.encoding = BTF_INT_SIGNED << 24 | 32;
  memcpy(types.names, "\0int", sizeof types.names);
  bpf_attr load{};
  load.btf = address(&types);
  load.btf_size = offsetof(decltype(types), names) + sizeof types.names;
  const UniqueFd btf = bpf(BPF_BTF_LOAD, load);
  if (!btf) return {};
  bpf_attr create{};
  create.map_type = BPF_MAP_TYPE_SK_STORAGE;
  create.key_size = create.value_size = sizeof(int);
  create.map_flags = BPF_F_NO_PREALLOC;
  create.btf_fd = static_cast<uint32_t>(btf.get());
  create.btf_key_type_id = create.btf_value_type_id = 1;
  return bpf(BPF_MAP_CREATE, create);
}

constexpr bpf_insn load_word(uint8_t to, uint8_t from, uint32_t offset) {
  return {BPF_LDX | BPF_MEM | BPF_DW, to, from, static_cast<int16_t>(offset), 0};
}
constexpr bpf_insn set_register(uint8_t to, uint8_t from) { return {BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0}; }
constexpr bpf_insn set_number(uint8_t to, int value) { return {BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value}; }
constexpr bpf_insn leave_if_zero(uint8_t what, int16_t over) { return {BPF_JMP | BPF_JEQ | BPF_K, what, 0, over, 0}; }

/// For every socket with storage: writes the address of its group's program, 0 for none.
UniqueFd load_program(const KernelTypes& types) {
  constexpr uint32_t kMeta = 0, kSocket = 16, kFile = 0;  // struct bpf_iter__bpf_sk_storage_map, struct bpf_iter_meta
  const bpf_insn program[] = {
      load_word(BPF_REG_6, BPF_REG_1, kMeta),
      load_word(BPF_REG_7, BPF_REG_1, kSocket),
      leave_if_zero(BPF_REG_7, 9),
      load_word(BPF_REG_6, BPF_REG_6, kFile),
      load_word(BPF_REG_7, BPF_REG_7, types.group_at),  // reading through no address gives 0
      load_word(BPF_REG_7, BPF_REG_7, types.program_at),
      {BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_7, -8, 0},
      set_register(BPF_REG_1, BPF_REG_6),
      set_register(BPF_REG_2, BPF_REG_10),
      {BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8},
      set_number(BPF_REG_3, 8),
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write},
      set_number(BPF_REG_0, 0),
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_TRACING;
  load.expected_attach_type = BPF_TRACE_ITER;
  load.attach_btf_id = types.iterator;
  load.insns = address(program);
  load.insn_cnt = sizeof program / sizeof *program;
  load.license = address("GPL");
  return bpf(BPF_PROG_LOAD, load);
}

/// Looks at one socket after another.
class GroupReader {
 public:
  GroupReader() {
    const std::string bytes = read_file("/sys/kernel/btf/vmlinux").value_or("");
    const KernelTypes types(bytes);
    if (!types.complete()) return;
    storage_ = make_storage();
    const UniqueFd program = load_program(types);
    if (!storage_ || !program) return;
    bpf_iter_link_info over{};
    over.map.map_fd = static_cast<uint32_t>(storage_.get());
    bpf_attr create{};
    create.link_create.prog_fd = static_cast<uint32_t>(program.get());
    create.link_create.attach_type = BPF_TRACE_ITER;
    create.link_create.iter_info = address(&over);
    create.link_create.iter_info_len = sizeof over;
    link_ = bpf(BPF_LINK_CREATE, create);
  }
  bool works() const { return static_cast<bool>(link_); }

  /// No value when the kernel does not say.
  std::optional<bool> has_program(int socket) const {
    const int key = socket, value = 1;
    bpf_attr element{};
    element.map_fd = static_cast<uint32_t>(storage_.get());
    element.key = address(&key);
    element.value = address(&value);
    if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &element, sizeof element) != 0) return {};
    bpf_attr create{};
    create.iter_create.link_fd = static_cast<uint32_t>(link_.get());
    const UniqueFd walk = bpf(BPF_ITER_CREATE, create);
    uint64_t program = 0;
    const bool read = walk && read_exact(walk.get(), &program, sizeof program);
    // The next walk must not meet this socket again.
    element.value = 0;
    if (syscall(SYS_bpf, BPF_MAP_DELETE_ELEM, &element, sizeof element) != 0) return {};
    return read ? std::optional(program != 0) : std::nullopt;
  }

 private:
  UniqueFd storage_, link_;
};

}  // namespace

bool refuse_steered_groups(const std::vector<SteeredSocket>& sockets) {
  if (sockets.empty()) return true;
  const GroupReader reader;
  bool all = reader.works();
  for (size_t i = 0; i < sockets.size() && all; i++) {
    const auto steered = reader.has_program(sockets[i].fd.get());
    all = steered.has_value();
    if (steered == true)
      throw Error(Failure::unsupported, sockets[i].object,
                  "a BPF program steers its SO_REUSEPORT group, which the kernel does not give back");
  }
  return all;
}

}  // namespace nsr
