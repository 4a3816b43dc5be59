#include "engine/dump/cpu_facts.h"

#include "arch/arch.h"
#include "arch/cpu.h"
#include "engine/base/boot_id.h"

namespace nsr {
namespace {

uint64_t states_in_use(const std::vector<LiveTask>& tasks) {
  uint64_t used = 0;
  for (const LiveTask& t : tasks) {
    for (const pb::core_entry& core : t.cores()) used |= core.thread_info().fpregs().xsave().xstate_bv();
    for (const pb::nsr_thread_entry& th : t.ext().threads()) used |= arch::states_in_use(th.xsave());
  }
  return used;
}

}  // namespace

void CpuFacts::ask() { arch::cpu_to_record(arch::host_cpuid(), answers_); }

void CpuFacts::write(ImageDir& images, const std::vector<LiveTask>& tasks, bool with_cpuinfo) const {
  pb::nsr_cpu_entry record = answers_;
  record.set_used(states_in_use(tasks));
  if (std::string id = boot_id(); !id.empty()) record.set_boot_id(id);
  images.create(Img::cpu_ext).write(record);
  if (with_cpuinfo) images.create(Img::cpuinfo).write(record.cpu());
}

}  // namespace nsr
