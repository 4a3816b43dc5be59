#!/usr/bin/python3
"""Runs one live-test victim in one flavour:  run.py --build BUILD NAME FLAVOUR

Flavours
  none    no dump at all: shows that the victim itself is right
  freeze  SIGSTOP and SIGCONT instead of a dump
  leave   ns-engine dump --leave-running; the victim goes on and must not have noticed
  host    dump, then ns-engine restore -d
  ns      dump, occupy all ids of the tree on the host, then ns-restore -d
  own     the victim is pid 1 of pid, mount, IPC, UTS and network namespaces of its own: dump, then ns-engine restore -d
  ownns   the same, restored by ns-restore -d
  ownleave, ownnone  such a victim in the flavours leave and none
  root    as own, and with a root directory of its own (tools/new_root.h), named with --root at the restore
  rootns, rootleave, rootnone  the same, without --root, as above
  user, userns, userleave, usernone        as own..., also in a user namespace of its own, whose map has two ranges
  nopid, nopidns, nopidleave, nopidnone    as user..., but in the pid namespace of the host;
          nopidrefused as well
  uroot, urootns, urootleave, urootnone    as root..., in such a user namespace
  peer    as host, but the restore sees only what the peer writes too: the files that are ours alone are removed, and what the
          victim does not look at from inside may differ
  stopped dump --leave-stopped, SIGCONT; then dump and restore --leave-stopped, SIGCONT
  refused the dump must fail, with a last line on stderr that the victim's directive describes, and leave the victim as it was

Directives, comment lines at the head of victims/NAME.c
  // engine: OPTIONS    added to dump and restore          // dump: OPTIONS     // restore: OPTIONS
  // rounds: N          dump and restore N times before the victim verifies (default 1)
  // flavours: A B ...  ctest runs only these (used by CMakeLists.txt)
  // mounts             the victim mounts something: all runs in a mount namespace of its own, which no other test sees
  // lock: NAME          not at the same time as others with that name (used by CMakeLists.txt)
  // timeout: S         limit for each wait, seconds (default 20)
  // environment: N=V    set for the engine; repeatable
  // pages: N            the pages images of a dump have no more pages than that
  // ignore: REGEX      snapshot keys that may change; repeatable
  // leaders: any       not every process's leader waits with victim_wait()
  // refused: REGEX     what the reason of a refused dump must match
  // terminals: N       at a restore somebody else has the first N pseudo-terminals that are free
  // terminal           the victim and the engine run under a stand-in for an interactive shell, on its pseudo-terminal

Exit status: 0 passed, 77 skipped, 1 failed (what failed and the ends of the logs are printed).
"""
import argparse
import ctypes
import os
import shlex
import subprocess
import sys
import tempfile
import shutil

import snapshot
from live import Failed, Log, Runner, Skipped

HERE = os.path.dirname(os.path.abspath(__file__))


class Directives:
    def __init__(self, source):
        self.engine, self.dump, self.restore, self.ignore = [], [], [], []
        self.rounds, self.terminal, self.leaders, self.refused = 1, False, None, None
        patience = float(os.environ.get("NSR_PATIENCE", 1))  # all limits times this: for slow, emulated machines
        self.timeout = 20.0 * patience
        self.terminals, self.pages, self.mounts = 0, None, False
        self.environment = {}
        with open(source) as f:
            for line in f:
                if not line.startswith("//"):
                    break
                key, _, value = line[2:].strip().partition(":")
                value = value.strip().replace("@SOURCE@", HERE)
                if key in ("engine", "dump", "restore"):
                    setattr(self, key, getattr(self, key) + shlex.split(value))
                elif key == "environment":
                    self.environment |= dict([value.split("=", 1)])
                elif key in ("rounds", "terminals", "pages"):
                    setattr(self, key, int(value))
                elif key == "timeout":
                    self.timeout = float(value) * patience
                elif key in ("leaders", "refused"):
                    setattr(self, key, value)
                elif key == "ignore":
                    self.ignore.append(value)
                elif key == "terminal":
                    self.terminal = True
                elif key == "mounts":
                    self.mounts = True


# By the beginning of a flavour: the namespaces of its own that the victim is pid 1 of, as tools/own_namespaces.c takes them
KINDS = {"own": "pmiun", "root": "pmiunr", "user": "pmiunU", "uroot": "pmiunUr", "nopid": "miunU"}


def run(runner, flavour, rounds):
    runner.start()
    for n in range(rounds if flavour not in ("none",) else 1):
        runner.wait_settled()
        before = runner.snapshot()
        if flavour == "freeze":
            runner.freeze()
        elif flavour == "leave":
            runner.dump(n, "--leave-running")
        elif flavour == "refused":
            runner.refused_dump(n)
        elif flavour == "stopped":
            runner.dump(n, "--leave-stopped")
            runner.wait_stopped()
            runner.resume()
            runner.wait_settled()
            runner.compare(before, runner.snapshot(), n)
            shutil.rmtree(runner.images(n))
            runner.dump(n)
            runner.wait_gone()
            runner.restore(n, False, "--leave-stopped")
            runner.wait_stopped()
            runner.resume()
        elif flavour in ("host", "ns", "peer"):
            runner.dump(n)
            runner.wait_gone()
            if flavour == "peer":
                runner.leave_peers_images(n)
            runner.restore(n, in_namespace=flavour == "ns")
        if flavour != "none":
            runner.wait_settled()
        if flavour not in ("none", "peer"):
            runner.compare(before, runner.snapshot(), n, flavour == "leave")
    runner.go()
    runner.finish()


def own_mounts():
    CLONE_NEWNS = 0x20000
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--keep", action="store_true", help="keep the run directory")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("name")
    parser.add_argument("flavour", choices=("none", "freeze", "leave", "host", "ns", "peer", "stopped", "refused",
                                            *(k + f for k in KINDS for f in ("", "ns", "leave", "none", "refused"))))
    args = parser.parse_args()
    directives = Directives(os.path.join(HERE, "victims", args.name + ".c"))
    if args.rounds:
        directives.rounds = args.rounds
    if directives.mounts:
        own_mounts()
    directory = tempfile.mkdtemp(prefix=f"live.{args.name}.")
    os.chmod(directory, 0o777)
    log = Log(args.verbose)
    own = next((k for k in KINDS if args.flavour.startswith(k)), "")
    flavour = args.flavour[len(own):] or "host"
    if own.endswith("root") and flavour == "host":
        directives.restore += ["--root", os.path.join(directory, "root")]
    runner = Runner(args.build, args.name, directory, directives, log, KINDS.get(own, ""))
    status = 1
    try:
        run(runner, flavour, directives.rounds)
        print(f"{args.name} {args.flavour}: passed; {log.times()}")
        status = 0
    except Skipped as e:
        print(f"{args.name} {args.flavour}: skipped: {e}")
        status = 77
    except Failed as e:
        print(f"{args.name} {args.flavour}: FAILED: {e}")
        runner.print_tails()
    finally:
        runner.clean()
        if args.keep:
            print("kept", directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
