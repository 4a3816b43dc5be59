#!/usr/bin/python3
"""Containers of runc(8), dumped and restored without it:  containers.py NAME BUILD

Each function test_NAME is the ctest live.containers.NAME. Skipped where runc is not installed or cannot start one."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from common import Failed, Scenario, read, say, until

SKIPPED = 77
SCRIPT = """
sleep 1000000 &
kid=$!
state() { cat /proc/self/mountinfo /proc/self/uid_map /proc/sys/kernel/hostname | cut -d' ' -f4-; }
state > /tmp/before
trap 'state > /tmp/after; cat /proc/$kid/comm > /tmp/kid; kill $kid; exit 0' TERM
echo > /tmp/ready
wait
"""


class Skipped(Exception):
    pass


def make_rootfs(s):
    """The shell and three tools with their libraries."""
    root = s.path("bundle", "rootfs")
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.makedirs(os.path.join(root, name))
    for tool in ("sh", "sleep", "cat", "cut"):
        path = shutil.which(tool)
        shutil.copy(path, os.path.join(root, "bin", tool))
        for library in re.findall(r"/\S+", subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True).stdout):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, root + library)
    return root


def start_container(s, change):
    """The pid of its init as it is seen here, and its root directory."""
    if not shutil.which("runc"):
        raise Skipped("runc is not installed")
    root = make_rootfs(s)
    s.command(["runc", "spec", "-b", s.path("bundle")])
    with open(s.path("bundle", "config.json")) as f:
        config = json.load(f)
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/bin/sh", "-c", SCRIPT]
    config["root"]["readonly"] = False
    change(config, root)
    with open(s.path("bundle", "config.json"), "w") as f:
        json.dump(config, f)
    os.chmod(s.dir, 0o755)
    s.container = [os.path.basename(s.dir).replace(".", "-")]
    runtime = ["runc", "--root", s.path("state")]
    null = subprocess.DEVNULL
    if subprocess.run([*runtime, "run", "-d", "--pid-file", s.path("pid"), "-b", s.path("bundle"), *s.container], stdin=null,
                      stdout=null, stderr=null).returncode != 0:
        raise Skipped("runc cannot start a container here")
    s.delete = [*runtime, "delete", "-f", *s.container]
    until(lambda: os.path.exists(os.path.join(root, "tmp", "ready")), "the container is ready")
    return int(read(s.path("pid"))), root


def round_trip(s, change):
    pid, root = start_container(s, change)
    s.dump(pid, "images")
    s.gone([pid])
    pid = s.ns_restore("images", "--root", root)
    os.kill(pid, signal.SIGTERM)
    until(lambda: os.path.exists(os.path.join(root, "tmp", "kid")), "the container has told of itself")
    s.gone([pid])
    before, after = (sorted(strip(line) for line in read(os.path.join(root, "tmp", name)).splitlines()) for name in ("before", "after"))
    if before != after or not before:
        raise Failed(f"mounts, maps, host name: gone {set(before) - set(after)}, new {set(after) - set(before)}")
    if read(os.path.join(root, "tmp", "kid")).strip() != "sleep":
        raise Failed("the child of the container's init is lost")


def strip(line):
    return re.sub(r" (shared|master):\d+", "", line)


def test_plain(s):
    round_trip(s, lambda config, root: None)


def test_user_namespace(s):
    def change(config, root):
        config["linux"]["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            config["linux"][kind] = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 300000, "size": 64536}]
        for directory, _, names in os.walk(root):
            for name in (".", *names):
                os.lchown(os.path.join(directory, name), 100000, 100000)
    round_trip(s, change)


if __name__ == "__main__":
    test = globals()["test_" + sys.argv[1]]
    skipped = []

    def run(scenario):
        scenario.delete = None
        try:
            test(scenario)
        except Skipped as e:
            skipped.append(e)
        finally:
            if scenario.delete:
                subprocess.run(scenario.delete, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Scenario(sys.argv[2]).main(run)
    if skipped:
        say(f"skipped: {skipped[0]}")
        sys.exit(SKIPPED)
