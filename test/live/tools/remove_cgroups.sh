#!/bin/sh
# Action script of victims/cgroup*.c: before the restore their cgroups (cgroup.h) are gone.
[ "$CRTOOLS_SCRIPT_ACTION" = pre-restore ] || exit 0
run=$(basename "$(dirname "$(readlink "$CRTOOLS_IMAGE_DIR")")")
for dir in /sys/fs/cgroup/*/"nsr-$run"; do
  [ -d "$dir" ] || continue
  rmdir "$dir"/*/ "$dir" 2>/dev/null
done
exit 0
