// What a dump records of the CPU beyond the features: where the register states lie (Intel SDM vol. 1, 13.4.2).
#include "arch/cpu.h"
#include "engine/base/error.h"
#include "engine/base/run_options.h"
#include "nsr-cpu.pb.h"

namespace nsr::arch {
namespace {

constexpr unsigned kStateLeaf = 0xd, kFirstOfLeaf = 2, kStates = 63;

}  // namespace

void cpu_to_record(const Cpuid& cpuid, pb::nsr_cpu_entry& out) {
  cpu_to_image(cpuid, *out.mutable_cpu());
  const uint64_t states = out.cpu().x86_entry(0).xfeatures_mask();
  for (unsigned i = kFirstOfLeaf; i < kStates; i++) {
    if (!(states >> i & 1)) continue;
    auto r = cpuid(kStateLeaf, i);
    pb::nsr_xstate_component& c = *out.add_component();
    c.set_number(i);
    c.set_size(r[0]);
    c.set_offset(r[1]);
  }
}

std::vector<std::string> cpu_lacks(const pb::nsr_cpu_entry& image, const Cpuid& cpuid, uint32_t checks) {
  std::vector<std::string> out = cpu_lacks(image.cpu(), cpuid, checks);
  if (!out.empty() || !(checks & CpuCap::fpu)) return out;
  for (const pb::nsr_xstate_component& c : image.component()) {
    if (c.number() >= kStates || !(image.used() >> c.number() & 1)) continue;
    auto r = cpuid(kStateLeaf, c.number());
    if (r[0] != c.size() || r[1] != c.offset())
      out.push_back(format("register state %u at offset %u of the XSAVE area (%u here)", c.number(), c.offset(), r[1]));
  }
  return out;
}

}  // namespace nsr::arch
