// The same as mem_anonymous, with the pages found by the words of /proc/PID/pagemap, as on kernels before 6.7.
// environment: CRIU_FAULT=135
#include "mem_anonymous.c"
