#!/usr/bin/python3
"""Kills a restore on the plain host between any two of the calls that let its processes go:  kill_release.py --build BUILD

The engine runs under this program's ptrace and is killed on its way into the first, second, ... PTRACE_DETACH. Each time all of the tree
must end; killed after the last one, or not at all, all of it runs."""
import argparse
import ctypes
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios"))
from common import Failed, Scenario, alive, tree_of, until

TREE = """
import os, signal
for _ in range(5):
    if os.fork() == 0:
        while True: signal.pause()
while True: signal.pause()
"""
PROCESSES = 6
PTRACE_TRACEME, PTRACE_GETREGS, PTRACE_DETACH, PTRACE_SYSCALL, PTRACE_SETOPTIONS = 0, 12, 17, 24, 0x4200
TRACESYSGOOD = 1
SYS_PTRACE = 101
RDI, ORIG_RAX = 14, 15  # in user_regs_struct
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def start_traced(argv, directory):
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        null = os.open("/dev/null", os.O_RDWR)
        for n in range(3):
            os.dup2(null, n)
        ptrace(PTRACE_TRACEME, 0)
        os.execv(argv[0], argv)
    os.waitpid(pid, 0)  # the stop at its exec
    ptrace(PTRACE_SETOPTIONS, pid, TRACESYSGOOD)
    return pid


def run_to_detach(pid, wanted):
    """Kills the engine before its detach number `wanted`. True when it came to that."""
    registers = (ctypes.c_uint64 * 27)()
    seen, entering, signo = 0, True, 0
    while True:
        ptrace(PTRACE_SYSCALL, pid, signo)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            if status != 0:
                raise Failed(f"the engine ended with wait status {status}")
            return False
        signo = os.WSTOPSIG(status)
        if signo != signal.SIGTRAP | 0x80:
            continue
        signo = 0
        if entering:
            ptrace(PTRACE_GETREGS, pid, ctypes.addressof(registers))
            if registers[ORIG_RAX] == SYS_PTRACE and registers[RDI] == PTRACE_DETACH:
                seen += 1
                if seen == wanted:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    return True
        entering = not entering


def run(s):
    root = s.spawn(["/usr/bin/python3", "-c", TREE]).pid
    until(lambda: len(tree_of(root)) == PROCESSES, "the tree stands")
    ids = tree_of(root)
    s.dump(root, "images")
    s.gone(ids)
    s.processes.clear()  # its id comes back with the restored root, which reap() has to see
    command = [os.path.join(s.bin, "ns-engine"), "restore", "-d", "-D", s.path("images"), "-o", s.path("restore.log")]
    known = set(tree_of(os.getpid()))

    def left():
        s.reap()
        return [p for p in tree_of(os.getpid())[1:] if p not in known and alive(p)]
    wanted = 1
    while run_to_detach(start_traced(command, s.dir), wanted):
        until(lambda: not left(), f"nothing of the tree is left after the engine was killed before detach {wanted}")
        s.gone(ids)
        wanted += 1
    if wanted <= PROCESSES:
        raise Failed(f"the engine let go {wanted - 1} times only")
    if sorted(left()) != sorted(ids):
        raise Failed(f"not all of the tree runs: {left()} of {ids}")
    for pid in ids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not left(), "the tree ends")
    print(f"killed before each of {wanted - 1} detaches")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    Scenario(args.build).main(run)


if __name__ == "__main__":
    main()
