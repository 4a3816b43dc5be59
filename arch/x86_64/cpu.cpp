// Capability words in the kernel's numbering (arch/x86/include/asm/cpufeatures.h, words 0-18); Intel SDM vol. 2, CPUID.
#include "arch/cpu.h"

#include <cpuid.h>

#include <iterator>

#include "cpuinfo.pb.h"
#include "engine/base/error.h"
#include "engine/base/run_options.h"

namespace nsr::arch {
namespace {

constexpr uint32_t kVersion = 2, kWords = 20;

/// Where a word comes from: leaf, subleaf, register (0 eax .. 3 edx).
struct Source {
  int word;
  uint32_t leaf, subleaf;
  int reg;
};
constexpr Source kSources[] = {
    {0, 1, 0, 3},    {1, 0x80000001, 0, 3}, {4, 1, 0, 2},           {6, 0x80000001, 0, 2}, {9, 7, 0, 1},
    {10, 0xd, 1, 0}, {12, 7, 1, 0},         {13, 0x80000008, 0, 1}, {16, 7, 0, 2},         {18, 7, 0, 3},
};

struct Feature {
  int word, bit;
  const char* name;
};
/// What a program can use without asking the kernel.
constexpr Feature kFeatures[] = {
    {0, 0, "fpu"},
    {0, 4, "tsc"},
    {0, 8, "cx8"},
    {0, 15, "cmov"},
    {0, 19, "clflush"},
    {0, 23, "mmx"},
    {0, 24, "fxsr"},
    {0, 25, "sse"},
    {0, 26, "sse2"},
    {1, 22, "mmxext"},
    {1, 27, "rdtscp"},
    {1, 30, "3dnowext"},
    {1, 31, "3dnow"},
    {4, 0, "sse3"},
    {4, 1, "pclmulqdq"},
    {4, 9, "ssse3"},
    {4, 12, "fma"},
    {4, 13, "cx16"},
    {4, 19, "sse4_1"},
    {4, 20, "sse4_2"},
    {4, 22, "movbe"},
    {4, 23, "popcnt"},
    {4, 25, "aes"},
    {4, 26, "xsave"},
    {4, 28, "avx"},
    {4, 29, "f16c"},
    {4, 30, "rdrand"},
    {6, 0, "lahf_lm"},
    {6, 5, "abm"},
    {6, 6, "sse4a"},
    {6, 11, "xop"},
    {6, 16, "fma4"},
    {6, 21, "tbm"},
    {9, 0, "fsgsbase"},
    {9, 3, "bmi1"},
    {9, 4, "hle"},
    {9, 5, "avx2"},
    {9, 8, "bmi2"},
    {9, 9, "erms"},
    {9, 11, "rtm"},
    {9, 16, "avx512f"},
    {9, 17, "avx512dq"},
    {9, 18, "rdseed"},
    {9, 19, "adx"},
    {9, 21, "avx512ifma"},
    {9, 23, "clflushopt"},
    {9, 24, "clwb"},
    {9, 26, "avx512pf"},
    {9, 27, "avx512er"},
    {9, 28, "avx512cd"},
    {9, 29, "sha_ni"},
    {9, 30, "avx512bw"},
    {9, 31, "avx512vl"},
    {10, 0, "xsaveopt"},
    {10, 1, "xsavec"},
    {10, 2, "xgetbv1"},
    {12, 4, "avx_vnni"},
    {12, 5, "avx512_bf16"},
    {13, 0, "clzero"},
    {16, 1, "avx512vbmi"},
    {16, 4, "ospke"},
    {16, 5, "waitpkg"},
    {16, 6, "avx512_vbmi2"},
    {16, 8, "gfni"},
    {16, 9, "vaes"},
    {16, 10, "vpclmulqdq"},
    {16, 11, "avx512_vnni"},
    {16, 12, "avx512_bitalg"},
    {16, 14, "avx512_vpopcntdq"},
    {16, 22, "rdpid"},
    {16, 25, "cldemote"},
    {16, 27, "movdiri"},
    {16, 28, "movdir64b"},
    {18, 2, "avx512_4vnniw"},
    {18, 3, "avx512_4fmaps"},
    {18, 4, "fsrm"},
    {18, 8, "avx512_vp2intersect"},
    {18, 14, "serialize"},
    {18, 16, "tsxldtrk"},
    {18, 22, "amx_bf16"},
    {18, 23, "avx512_fp16"},
    {18, 24, "amx_tile"},
    {18, 25, "amx_int8"},
};

constexpr const char* kStates[] = {
    "x87", "SSE", "AVX", "MPX bounds", "MPX config", "AVX-512 opmask", "AVX-512 upper halves", "AVX-512 high registers",
    "PT",  "PKRU"};

bool compared(int word) {
  for (const Source& s : kSources)
    if (s.word == word) return true;
  return false;
}

std::string text_of(std::initializer_list<uint32_t> words) {
  std::string out;
  for (uint32_t w : words)
    for (int i = 0; i < 4; i++)
      if (char c = static_cast<char>(w >> (8 * i))) out += c;
  return out;
}

pb::cpuinfo_x86_entry::vendor vendor_of(const std::string& name) {
  if (name == "GenuineIntel") return pb::cpuinfo_x86_entry::INTEL;
  if (name == "AuthenticAMD") return pb::cpuinfo_x86_entry::AMD;
  return pb::cpuinfo_x86_entry::UNKNOWN;
}

}  // namespace

Cpuid host_cpuid() {
  return [](uint32_t leaf, uint32_t subleaf) {
    std::array<uint32_t, 4> r{};
    __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]);
    return r;
  };
}

void cpu_to_image(const Cpuid& cpuid, pb::cpuinfo_entry& out) {
  pb::cpuinfo_x86_entry& e = *out.add_x86_entry();
  auto base = cpuid(0, 0), id = cpuid(1, 0);
  e.set_vendor_id(vendor_of(text_of({base[1], base[3], base[2]})));
  uint32_t family = id[0] >> 8 & 15, model = id[0] >> 4 & 15;
  if (family == 6 || family == 15) model |= (id[0] >> 16 & 15) << 4;
  if (family == 15) family += id[0] >> 20 & 255;
  e.set_cpu_family(family);
  e.set_model(model);
  e.set_stepping(id[0] & 15);
  e.set_capability_ver(kVersion);
  for (uint32_t w = 0; w < kWords; w++) e.add_capability(0);
  for (const Source& s : kSources) e.set_capability(s.word, cpuid(s.leaf, s.subleaf)[static_cast<size_t>(s.reg)]);
  std::string name;
  for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
    auto r = cpuid(leaf, 0);
    name += text_of({r[0], r[1], r[2], r[3]});
  }
  e.set_model_id(name);
  auto state = cpuid(0xd, 0);
  e.set_xfeatures_mask(state[0] | static_cast<uint64_t>(state[3]) << 32);
  e.set_xsave_size(state[1]);
  e.set_xsave_size_max(state[2]);
}

std::vector<std::string> cpu_lacks(const pb::cpuinfo_entry& image, const Cpuid& cpuid, uint32_t checks) {
  if (image.x86_entry_size() == 0)
    throw Error(Failure::image, "cpuinfo.img", "it describes no x86 CPU",
                "restore on a host of the architecture it was dumped on");
  const pb::cpuinfo_x86_entry& was = image.x86_entry(0);
  pb::cpuinfo_entry here;
  cpu_to_image(cpuid, here);
  const pb::cpuinfo_x86_entry& is = here.x86_entry(0);
  std::vector<std::string> out;
  auto bit = [](const pb::cpuinfo_x86_entry& e, int word, int n) {
    return word < e.capability_size() && (e.capability(word) >> n & 1);
  };
  if (checks & CpuCap::cpu) {
    if (was.vendor_id() != is.vendor_id() || was.cpu_family() != is.cpu_family() || was.model() != is.model())
      out.push_back(format("model %u/%u \"%s\"", was.cpu_family(), was.model(), was.model_id().c_str()));
    // leaf 1 ecx bit 27 and the like tell of the kernel, not of the CPU
    for (int w = 0; w < was.capability_size() && w < is.capability_size(); w++)
      if (compared(w) && w != 10 && was.capability(w) != is.capability(w))
        out.push_back(format("feature word %d (%#x there, %#x here)", w, was.capability(w), is.capability(w)));
  }
  if (checks & CpuCap::ins)
    for (const Feature& f : kFeatures)
      if (compared(f.word) && bit(was, f.word, f.bit) && !bit(is, f.word, f.bit))
        out.push_back(std::string("instructions ") + f.name);
  if (checks & CpuCap::fpu) {
    uint64_t lacking = was.xfeatures_mask() & ~is.xfeatures_mask();
    for (unsigned i = 0; i < 64; i++)
      if (lacking >> i & 1)
        out.push_back("register state " + (i < std::size(kStates) ? std::string(kStates[i]) : format("%u", i)));
    if (lacking == 0 && was.xsave_size() > is.xsave_size())
      out.push_back(format("register state of %u bytes (%u here)", was.xsave_size(), is.xsave_size()));
  }
  return out;
}

}  // namespace nsr::arch
