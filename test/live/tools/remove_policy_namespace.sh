#!/bin/sh
# Action script of victims/cred_apparmor.c: when the tree is dumped its AppArmor policy namespace, which is named like
# the run directory, is lost, as at a reboot.
[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0
run=$(dirname "$(readlink "$CRTOOLS_IMAGE_DIR")")
rmdir "/sys/kernel/security/apparmor/policy/namespaces/$(basename "$run")"
