#include <sys/sysmacros.h>

#include "engine/files/named_files.h"

namespace nsr {
namespace {

struct Device {
  unsigned major, minor;
  const char* refusal;  ///< nullptr: opening it again gives the same
};

constexpr unsigned kAny = ~0u;

// Documentation/admin-guide/devices.txt of the kernel. The first row that fits counts.
constexpr Device kDevices[] = {
    {1, 1, "it is /dev/mem: physical memory of this host"},
    {1, 2, "it is /dev/kmem: kernel memory of this host"},
    {1, 3, nullptr},  // null
    {1, 4, "it is /dev/port: I/O ports of this host"},
    {1, 5, nullptr},     // zero
    {1, 7, nullptr},     // full
    {1, 8, nullptr},     // random
    {1, 9, nullptr},     // urandom
    {1, 11, nullptr},    // kmsg
    {10, 135, nullptr},  // rtc
    {10, 200, "it is a TUN/TAP device without its own kind"},
    {10, 229, "it is a FUSE connection: the kernel side of the filesystem cannot be moved"},
    {10, 232, "it is KVM: virtual machines cannot be kept"},
    {10, 237, "it is loop-control"},
    {7, kAny, "it is a loop device: its backing file is state of this host"},
    {226, kAny, "it is a graphics device: its contexts live in hardware"},
    {195, kAny, "it is a graphics device: its contexts live in hardware"},
    {116, kAny, "it is a sound device: its stream state cannot be read"},
    {13, kAny, "it is an input device: its event queue cannot be read"},
};

}  // namespace

const char* device_refusal(dev_t rdev, const std::string& path) {
  for (const Device& d : kDevices)
    if (d.major == major(rdev) && (d.minor == kAny || d.minor == minor(rdev))) return d.refusal;
  if (path.starts_with("/dev/rtc")) return nullptr;  // its class has no fixed major number
  return "it is a device whose state is not known";
}

}  // namespace nsr
