#include <cstdio>

#include "arch/cpu.h"
#include "cpuinfo.pb.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/images/image_dir.h"

namespace nsr {
namespace {

const Logger log("cpuinfo");

void write_image(const std::string& path) {
  ImageDir images(path);
  pb::cpuinfo_entry entry;
  arch::cpu_to_image(arch::host_cpuid(), entry);
  ImageWriter writer = images.create(Img::cpuinfo);
  writer.write(entry);
  writer.finish();
}

}  // namespace

int command_cpuinfo(const Options& options) {
  const std::string& path = options.run.images_dir;
  if (options.arguments.at(0) == "dump") {
    write_image(path);
    return 0;
  }
  ImageDir images(path);
  if (!images.has(Img::cpuinfo)) {
    log.error("%s/cpuinfo.img is missing", path.c_str());
    return 1;
  }
  uint32_t checks = options.run.cpu_cap.mask;
  auto lacks = arch::cpu_lacks(images.one<pb::cpuinfo_entry>(Img::cpuinfo), arch::host_cpuid(), checks);
  for (const std::string& what : lacks) log.error("this CPU lacks %s", what.c_str());
  return lacks.empty() ? 0 : 1;
}

}  // namespace nsr
