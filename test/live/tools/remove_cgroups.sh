#!/bin/sh
# Action script of victims/cgroup*.c: before the restore their cgroups are gone.
[ "$CRTOOLS_SCRIPT_ACTION" = pre-restore ] || exit 0
for dir in /sys/fs/cgroup/*/nsr-live-*; do
  [ -d "$dir" ] || continue
  rmdir "$dir"/* "$dir" 2>/dev/null
done
exit 0
