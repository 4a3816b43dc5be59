#!/usr/bin/python3
"""AppArmor's own namespaces, where the kernel has AppArmor:  apparmor.py NAME BUILD

Each function test_NAME is the ctest live.apparmor.NAME."""
import os
import subprocess
import sys

from common import Failed, Scenario, alive, read, until

POLICY = "/sys/kernel/security/apparmor/policy/namespaces"
ENTER = "import time\nopen('/proc/self/attr/current', 'w').write('changeprofile {}')\ntime.sleep(1000)"


def label(pid):
    return read(f"/proc/{pid}/attr/current").strip()


def kept(s, name, wanted, gone):
    """A process that takes on a label of this namespace has it again, also when the host has lost the namespace."""
    if not read("/sys/module/apparmor/parameters/enabled").startswith("Y"):
        print("SKIP the kernel has no AppArmor")
        sys.exit(77)
    if not os.path.exists(POLICY):
        subprocess.run(["mount", "-t", "securityfs", "securityfs", "/sys/kernel/security"], check=True)
    space = os.path.join(POLICY, name)
    os.mkdir(space)
    try:
        pid = s.spawn(["/usr/bin/python3", "-S", "-c", ENTER.format(wanted)]).pid
        until(lambda: name in label(pid), f"{pid} has a label of {name}, not {label(pid)}")
        before = label(pid)
        s.dump(pid, "images", "-v4")
        s.gone([pid])
        if not os.path.exists(s.path("images", "apparmor.img")):
            raise Failed("there is no apparmor.img")
        if gone:
            os.rmdir(space)
        root = s.ns_restore("images")
        if not alive(root) or label(root) != before:
            raise Failed(f"the label is {label(root)!r} after {before!r}")
    finally:
        s.clean()
        if os.path.exists(space):
            os.rmdir(space)


def test_namespace(s):
    kept(s, "nsr-kept", ":nsr-kept:unconfined", False)


def test_namespace_gone(s):
    kept(s, "nsr-gone", ":nsr-gone:unconfined", True)


def test_stacked(s):
    kept(s, "nsr-stacked", "unconfined//&:nsr-stacked:unconfined", True)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
