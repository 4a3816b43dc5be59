#!/usr/bin/python3
"""Images of other CPUs, by --cpu-cap:  cpu.py NAME BUILD

Each function test_NAME is the ctest live.cpu.NAME. A dump's cpuinfo.img is rewritten as if it came from a CPU that has more
instructions, one more register state, or another model number."""
import os
import signal
import struct
import sys

from common import Failed, Scenario, alive, read, until

MODEL, CAPABILITY, STATES = 3, 6, 8  # fields of cpuinfo_x86_entry
HEADER = 8                           # magic numbers of an image
# What the restore says when it is refused; None where it is taken
CAPS = {
    None: ("instructions", "register state", None),
    "ins": ("instructions", None, None),
    "fpu": (None, "register state", None),
    "cpu": ("feature word", None, "model"),
    "all": ("feature word", "register state", "model"),
    "": ("feature word", "register state", "model"),
    "all,^cpu": ("instructions", "register state", None),
    "all,^fpu": ("feature word", None, "model"),
    "none": (None, None, None),
}


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 128:
            return value, at


def to_varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def fields(data):
    at, out = 0, []
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        out.append((key, value))
    return out


def encoded(entries):
    return b"".join(to_varint(key) + (to_varint(len(value)) + value if isinstance(value, bytes) else to_varint(value)) for key, value in entries)


def changed(image, change):
    """The image with each field of the CPU's entry made what change(field, value) gives."""
    entries = [(key, encoded([(k, change(k >> 3, v)) for k, v in fields(value)])) for key, value in fields(image[HEADER + 4:])]
    body = encoded(entries)
    return image[:HEADER] + struct.pack("<I", len(body)) + body


OTHERS = (
    ("more instructions", lambda field, value: 0xffffffff if field == CAPABILITY else value),
    ("one more register state", lambda field, value: value | 1 << 40 if field == STATES else value),
    ("another model", lambda field, value: value + 1 if field == MODEL else value),
)


def cap(option):
    return [] if option is None else [f"--cpu-cap={option}" if option else "--cpu-cap"]


def tree(s):
    pid = s.spawn(["/usr/bin/sleep", "1000"]).pid
    until(lambda: read(f"/proc/{pid}/syscall").split(" ")[0] == "230", "the program sleeps")  # clock_nanosleep
    s.dump(pid, "images", "--cpu-cap=all")
    s.gone([pid])
    s.processes.clear()
    return pid


def check(s, pid, what, option, reason):
    done = s.restore("images", *cap(option), ok=False)
    if done.returncode == 0:
        os.kill(pid, signal.SIGKILL)
        s.gone([pid])
        s.roots.clear()
    elif alive(pid):
        raise Failed("a refused restore made its process")
    if (done.returncode == 0) != (reason is None) or (reason and reason not in done.stderr):
        raise Failed(f"{what}, --cpu-cap {option}: status {done.returncode}, {done.stderr!r} instead of {reason!r}")


def test_caps(s):
    """Each value of --cpu-cap looks at what it names, and a refusal comes before anything is made."""
    pid = tree(s)
    path = s.path("images", "cpuinfo.img")
    with open(path, "rb") as f:
        image = f.read()
    for option in CAPS:
        check(s, pid, "the same CPU", option, None)
    for n, (what, change) in enumerate(OTHERS):
        with open(path, "wb") as f:
            f.write(changed(image, change))
        for option, reasons in CAPS.items():
            check(s, pid, what, option, reasons[n])


def test_missing(s):
    """Asked to compare, images that do not tell of their CPU are refused; without being asked they are taken."""
    pid = tree(s)
    for name in "cpuinfo.img", "nsr-cpu":
        os.unlink(s.path("images", name))
    check(s, pid, "no record", "cpu", "cpuinfo")
    check(s, pid, "no record", None, None)


def test_command(s):
    """cpuinfo dump writes what cpuinfo check compares."""
    os.mkdir(s.path("cpu"))
    command = [os.path.join(s.bin, "ns-engine"), "cpuinfo"]
    s.command([*command, "dump", "-D", s.path("cpu")])
    s.command([*command, "check", "-D", s.path("cpu"), "--cpu-cap"])
    path = s.path("cpu", "cpuinfo.img")
    with open(path, "rb") as f:
        image = f.read()
    for n, (what, change) in enumerate(OTHERS):
        with open(path, "wb") as f:
            f.write(changed(image, change))
        for option, reasons in CAPS.items():
            done = s.command([*command, "check", "-D", s.path("cpu"), *cap(option)], ok=False)
            if done.returncode != (1 if reasons[n] else 0) or (reasons[n] or "") not in done.stderr:
                raise Failed(f"{what}, --cpu-cap {option}: status {done.returncode}, {done.stderr!r}")
    os.unlink(path)
    if s.command([*command, "check", "-D", s.path("cpu")], ok=False).returncode != 1:
        raise Failed("a missing image is no failure")


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
