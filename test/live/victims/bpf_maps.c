// BPF maps with content: a hash, and a frozen array seen through two descriptions.
#include <linux/bpf.h>

#include "victim.h"

static int bpf(int command, union bpf_attr* attributes) {
  return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}
static int element(int command, int map, uint32_t key, uint64_t* value) {
  union bpf_attr attributes = {.map_fd = (uint32_t)map};
  attributes.key = (uint64_t)(uintptr_t)&key;
  attributes.value = (uint64_t)(uintptr_t)value;
  return bpf(command, &attributes);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  union bpf_attr hash = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 64};
  union bpf_attr array = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 16};
  int h = bpf(BPF_MAP_CREATE, &hash), a = bpf(BPF_MAP_CREATE, &array);
  if (h < 0 || a < 0) victim_skip("no BPF maps here");
  uint64_t value;
  for (uint32_t i = 0; i < 16; i++) {
    value = i * 11;
    MUST(element(BPF_MAP_UPDATE_ELEM, h, i * 1000, &value) == 0 && element(BPF_MAP_UPDATE_ELEM, a, i, &value) == 0);
  }
  union bpf_attr freeze = {.map_fd = (uint32_t)a};
  MUST(bpf(BPF_MAP_FREEZE, &freeze) == 0);

  victim_ready();

  for (uint32_t i = 0; i < 16; i++) {
    CHECK(element(BPF_MAP_LOOKUP_ELEM, h, i * 1000, &value) == 0 && value == i * 11);
    CHECK(element(BPF_MAP_LOOKUP_ELEM, a, i, &value) == 0 && value == i * 11);
  }
  CHECK(element(BPF_MAP_LOOKUP_ELEM, h, 1, &value) < 0 && errno == ENOENT);
  CHECK(element(BPF_MAP_UPDATE_ELEM, a, 0, &value) < 0 && errno == EPERM);
  return victim_done();
}
