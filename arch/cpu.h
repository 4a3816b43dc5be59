// What a CPU offers to programs: recorded by a dump, compared by a restore (--cpu-cap).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nsr::pb {
class cpuinfo_entry;
class nsr_cpu_entry;
}  // namespace nsr::pb

namespace nsr::arch {

/// The identification instruction: eax, ebx, ecx, edx of a leaf and subleaf. A test puts its own data here.
using Cpuid = std::function<std::array<uint32_t, 4>(uint32_t leaf, uint32_t subleaf)>;
Cpuid host_cpuid();

void cpu_to_image(const Cpuid& cpuid, pb::cpuinfo_entry& out);
/// What the CPU of the images has and this one lacks, in words ("instructions avx512f"); checks is a CpuCap mask.
/// Empty: programs from there run here. Throws Error(image) when the image is of another architecture.
std::vector<std::string> cpu_lacks(const pb::cpuinfo_entry& image, const Cpuid& cpuid, uint32_t checks);

/// The same with the layout of the register states; the caller adds which are in use and where it is.
void cpu_to_record(const Cpuid& cpuid, pb::nsr_cpu_entry& out);
/// Also names register states in use that lie elsewhere here: signal frames on the tree's stacks would not fit.
std::vector<std::string> cpu_lacks(const pb::nsr_cpu_entry& image, const Cpuid& cpuid, uint32_t checks);

}  // namespace nsr::arch
