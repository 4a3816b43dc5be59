// Extended state: the standard (non-compacted) XSAVE layout of ptrace to the fields of the image and back.
// Intel SDM vol. 1 ch. 13; offsets of the components come from CPUID leaf 0xD, never from a list.

#include <cpuid.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>
#include <mutex>

#include "arch/arch.h"
#include "core.pb.h"
#include "engine/base/error.h"

namespace nsr::arch {
namespace {

constexpr size_t kLegacySize = 512, kHeaderSize = 64, kBvOffset = 512;
enum Component {
  kX87 = 0,
  kSse = 1,
  kAvx = 2,
  kBndregs = 3,
  kBndcsr = 4,
  kOpmask = 5,
  kZmmHi = 6,
  kHi16 = 7,
  kPkru = 9,
  kTileCfg = 17,
  kTileData = 18,
  kCount = 19
};
constexpr const char* kNames[kCount] = {"x87",
                                        "SSE",
                                        "AVX",
                                        "MPX bounds",
                                        "MPX config",
                                        "AVX-512 opmask",
                                        "AVX-512 upper halves",
                                        "AVX-512 high registers",
                                        "PT",
                                        "PKRU",
                                        "PASID",
                                        "CET user",
                                        "CET supervisor",
                                        "HDC",
                                        "UINTR",
                                        "LBR",
                                        "HWP",
                                        "AMX tile config",
                                        "AMX tile data"};

// Asks for no more than is needed: under a hypervisor each CPUID takes many microseconds.
constexpr unsigned kStateLeaf = 0xd;

struct Layout {
  uint64_t xcr0 = 3;
  size_t total = kLegacySize + kHeaderSize;
};

const Layout& layout() {
  static const Layout known = [] {
    Layout l;
    unsigned a, b, c, d;
    if (__get_cpuid_max(0, nullptr) < kStateLeaf) return l;
    __cpuid_count(kStateLeaf, 0, a, b, c, d);
    l.xcr0 = a | static_cast<uint64_t>(d) << 32;
    l.total = b;
    return l;
  }();
  return known;
}

struct Part {
  size_t offset = 0, size = 0;
  size_t end() const { return offset + size; }
};

/// Where a component below kTileCfg lies; size 0 on a CPU without it.
const Part& part(int i) {
  static std::array<std::once_flag, kTileCfg> asked;
  static std::array<Part, kTileCfg> parts;
  const auto at = static_cast<size_t>(i);
  std::call_once(asked[at], [&] {
    if (!(layout().xcr0 >> i & 1)) return;
    unsigned a, b, c, d;
    __cpuid_count(kStateLeaf, static_cast<unsigned>(i), a, b, c, d);
    parts[at] = {b, a};
  });
  return parts[at];
}

template <class T>
T load(std::span<const std::byte> area, size_t at) {
  T v{};
  if (at + sizeof v <= area.size()) std::memcpy(&v, area.data() + at, sizeof v);
  return v;
}

template <class T>
void store(std::vector<std::byte>& area, size_t at, T v) {
  if (at + sizeof v <= area.size()) std::memcpy(area.data() + at, &v, sizeof v);
}

/// A component that is not in use is zeros in the image.
template <class Word, class Field>
void component_out(std::span<const std::byte> area, int i, size_t words, Field* field) {
  if (!(layout().xcr0 >> i & 1)) return;
  const bool used = load<uint64_t>(area, kBvOffset) >> i & 1;
  field->Reserve(static_cast<int>(words));
  for (size_t k = 0; k < words; k++) field->Add(used ? load<Word>(area, part(i).offset + k * sizeof(Word)) : Word{});
}

template <class Word, class Field>
void component_in(std::vector<std::byte>& area, uint64_t used, int i, const Field& field) {
  if (!(used >> i & 1)) return;
  const Part& p = part(i);
  for (int k = 0; k < field.size() && (static_cast<size_t>(k) + 1) * sizeof(Word) <= p.size; k++)
    store<Word>(area, p.offset + static_cast<size_t>(k) * sizeof(Word), field.Get(k));
}

void fpregs_out(std::span<const std::byte> area, pb::user_x86_fpregs_entry& fp) {
  fp.set_cwd(load<uint16_t>(area, 0));
  fp.set_swd(load<uint16_t>(area, 2));
  fp.set_twd(load<uint16_t>(area, 4));
  fp.set_fop(load<uint16_t>(area, 6));
  fp.set_rip(load<uint64_t>(area, 8));
  fp.set_rdp(load<uint64_t>(area, 16));
  fp.set_mxcsr(load<uint32_t>(area, 24));
  fp.set_mxcsr_mask(load<uint32_t>(area, 28));
  for (size_t i = 0; i < 32; i++) fp.add_st_space(load<uint32_t>(area, 32 + 4 * i));
  for (size_t i = 0; i < 64; i++) fp.add_xmm_space(load<uint32_t>(area, 160 + 4 * i));
  if (area.size() <= kLegacySize) return;
  pb::user_x86_xsave_entry& xs = *fp.mutable_xsave();
  xs.set_xstate_bv(load<uint64_t>(area, kBvOffset) & ~(3ull << kTileCfg));
  component_out<uint32_t>(area, kAvx, 64, xs.mutable_ymmh_space());
  component_out<uint64_t>(area, kBndregs, 8, xs.mutable_bndreg_state());
  component_out<uint64_t>(area, kBndcsr, 8, xs.mutable_bndcsr_state());
  component_out<uint64_t>(area, kOpmask, 8, xs.mutable_opmask_reg());
  component_out<uint64_t>(area, kZmmHi, 64, xs.mutable_zmm_upper());
  component_out<uint64_t>(area, kHi16, 128, xs.mutable_hi16_zmm());
  component_out<uint32_t>(area, kPkru, 2, xs.mutable_pkru());
}

std::vector<std::byte> fpregs_in(const pb::user_x86_fpregs_entry& fp, const std::string& object) {
  if (fp.st_space_size() != 32 || fp.xmm_space_size() != 64)
    throw Error(Failure::image, object, "the FPU registers in the core image are incomplete", "dump the tree again");
  std::vector<std::byte> area(layout().total);
  store<uint16_t>(area, 0, static_cast<uint16_t>(fp.cwd()));
  store<uint16_t>(area, 2, static_cast<uint16_t>(fp.swd()));
  store<uint16_t>(area, 4, static_cast<uint16_t>(fp.twd()));
  store<uint16_t>(area, 6, static_cast<uint16_t>(fp.fop()));
  store<uint64_t>(area, 8, fp.rip());
  store<uint64_t>(area, 16, fp.rdp());
  store<uint32_t>(area, 24, fp.mxcsr());
  store<uint32_t>(area, 28, fp.mxcsr_mask());
  for (int i = 0; i < 32; i++) store<uint32_t>(area, 32 + 4 * static_cast<size_t>(i), fp.st_space(i));
  for (int i = 0; i < 64; i++) store<uint32_t>(area, 160 + 4 * static_cast<size_t>(i), fp.xmm_space(i));
  uint64_t bv = 3;
  if (fp.has_xsave()) {
    const pb::user_x86_xsave_entry& xs = fp.xsave();
    bv = xs.xstate_bv();
    if (uint64_t lacking = bv & ~layout().xcr0)
      for (int i = 0; i < 64; i++)
        if (lacking >> i & 1)
          throw Error(
              Failure::environment, object,
              format("it uses CPU state that this CPU lacks: %s", i < kCount ? kNames[i] : "an unknown component"),
              "restore on a CPU that has it");
    component_in<uint32_t>(area, bv, kAvx, xs.ymmh_space());
    component_in<uint64_t>(area, bv, kBndregs, xs.bndreg_state());
    component_in<uint64_t>(area, bv, kBndcsr, xs.bndcsr_state());
    component_in<uint64_t>(area, bv, kOpmask, xs.opmask_reg());
    component_in<uint64_t>(area, bv, kZmmHi, xs.zmm_upper());
    component_in<uint64_t>(area, bv, kHi16, xs.hi16_zmm());
    component_in<uint32_t>(area, bv, kPkru, xs.pkru());
  }
  store<uint64_t>(area, kBvOffset, bv);
  return area;
}

// Every general register under its name in the image.
template <class Visit>
void each_register(Visit visit) {
  using R = Registers;
  using E = pb::user_x86_regs_entry;
  visit(&R::r15, &E::r15, &E::set_r15);
  visit(&R::r14, &E::r14, &E::set_r14);
  visit(&R::r13, &E::r13, &E::set_r13);
  visit(&R::r12, &E::r12, &E::set_r12);
  visit(&R::rbp, &E::bp, &E::set_bp);
  visit(&R::rbx, &E::bx, &E::set_bx);
  visit(&R::r11, &E::r11, &E::set_r11);
  visit(&R::r10, &E::r10, &E::set_r10);
  visit(&R::r9, &E::r9, &E::set_r9);
  visit(&R::r8, &E::r8, &E::set_r8);
  visit(&R::rax, &E::ax, &E::set_ax);
  visit(&R::rcx, &E::cx, &E::set_cx);
  visit(&R::rdx, &E::dx, &E::set_dx);
  visit(&R::rsi, &E::si, &E::set_si);
  visit(&R::rdi, &E::di, &E::set_di);
  visit(&R::orig_rax, &E::orig_ax, &E::set_orig_ax);
  visit(&R::rip, &E::ip, &E::set_ip);
  visit(&R::cs, &E::cs, &E::set_cs);
  visit(&R::eflags, &E::flags, &E::set_flags);
  visit(&R::rsp, &E::sp, &E::set_sp);
  visit(&R::ss, &E::ss, &E::set_ss);
  visit(&R::fs_base, &E::fs_base, &E::set_fs_base);
  visit(&R::gs_base, &E::gs_base, &E::set_gs_base);
  visit(&R::ds, &E::ds, &E::set_ds);
  visit(&R::es, &E::es, &E::set_es);
  visit(&R::fs, &E::fs, &E::set_fs);
  visit(&R::gs, &E::gs, &E::set_gs);
}

}  // namespace

void to_image(const Registers& regs, std::span<const std::byte> xsave, pb::core_entry& core) {
  core.set_mtype(pb::core_entry::X86_64);
  pb::thread_info_x86& ti = *core.mutable_thread_info();
  pb::user_x86_regs_entry& gp = *ti.mutable_gpregs();
  each_register([&](auto reg, auto, auto set) { (gp.*set)(regs.*reg); });
  gp.set_mode(pb::NATIVE);
  fpregs_out(xsave, *ti.mutable_fpregs());
}

FromImage from_image(const pb::core_entry& core, const std::string& whole_xsave, const std::string& object) {
  if (core.mtype() != pb::core_entry::X86_64)
    throw Error(Failure::image, object, "the images were made on another CPU architecture",
                "restore them on a host of that architecture");
  if (!core.has_thread_info())
    throw Error(Failure::image, object, "its core image has no registers", "dump the tree again");
  const pb::thread_info_x86& ti = core.thread_info();
  if (ti.gpregs().mode() != pb::NATIVE)
    throw Error(Failure::unsupported, object, "it runs 32-bit code, which is not supported");
  FromImage out{};
  each_register([&](auto reg, auto get, auto) { out.regs.*reg = (ti.gpregs().*get)(); });
  out.xsave = fpregs_in(ti.fpregs(), object);
  // the whole area, when the dump had reason to keep it, on a CPU that lays it out alike
  if (whole_xsave.size() == out.xsave.size()) {
    std::memcpy(out.xsave.data(), whole_xsave.data(), whole_xsave.size());
  } else if (!whole_xsave.empty()) {
    throw Error(Failure::environment, object, "it uses AMX tiles, which this CPU lacks or lays out differently",
                "restore on a CPU of the kind it was dumped on");
  }
  out.clear_tid = ti.clear_tid_addr();
  return out;
}

PermissionCall expansion_permission() {
  constexpr uint64_t kArchReqXcompPerm = 0x1023;
  return {SYS_arch_prctl, {kArchReqXcompPerm, kTileData}};
}

uint64_t states_in_use(std::string_view xsave) { return load<uint64_t>(std::as_bytes(std::span(xsave)), kBvOffset); }

size_t xsave_size() { return layout().total; }

size_t usual_xsave_size() {
  for (int i : {kPkru, kHi16, kAvx})
    if (part(i).size) return part(i).end();
  return layout().total;
}

bool is_cut_off(std::span<const std::byte> xsave) {
  const uint64_t used = load<uint64_t>(xsave, kBvOffset);
  if (used >> kTileCfg) return xsave.size() < layout().total;
  for (int i = kAvx; i < kTileCfg; i++)
    if ((used >> i & 1) && part(i).end() > xsave.size()) return true;
  return false;
}

bool has_protection_keys() { return layout().xcr0 >> kPkru & 1; }

bool needs_expansion(std::span<const std::byte> xsave) {
  return xsave.size() > kBvOffset + 8 && (load<uint64_t>(xsave, kBvOffset) >> kTileData & 1);
}

}  // namespace nsr::arch
