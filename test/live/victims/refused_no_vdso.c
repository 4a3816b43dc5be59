// A program that has unmapped its vDSO: a restore ends by a system call there, so the dump says that it cannot be.
// flavours: refused
// refused: pid \d+.*vDSO
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  FILE* f = fopen("/proc/self/maps", "re");
  char line[512];
  uintptr_t start, end, found[8][2];
  int n = 0;
  while (fgets(line, sizeof line, f))
    if ((strstr(line, "[vvar") || strstr(line, "[vdso]")) && sscanf(line, "%lx-%lx", &start, &end) == 2 && n < 8)
      found[n][0] = start, found[n++][1] = end;
  fclose(f);
  for (int i = 0; i < n; i++) MUST(munmap((void*)found[i][0], found[i][1] - found[i][0]) == 0);
  victim_ready();
  CHECK_EQ(getppid() > 0, 1);
  return victim_done();
}
