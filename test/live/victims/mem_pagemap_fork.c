// The same as mem_cow, with the pages found by the words of /proc/PID/pagemap, as on kernels before 6.7.
// environment: CRIU_FAULT=135
// timeout: 60
#include "mem_cow.c"
