#!/usr/bin/python3
"""Dumps and restores one real service:  run.py --build BUILD NAME FLAVOUR

NAME is a file of this folder; flavours:
  host    dump, ns-engine restore, check, twice over, graceful stop, logs without errors
  ns      the same by ns-restore while all ids of the tree are taken on the host
  leave   dump --leave-running twice, the service must not notice
  killed  the engine is killed at twelve instants of a dump, the service must not notice
  copies  three restored copies side by side, each in a network namespace of its own
  cold    no dump at all: shows that the test itself is right

Exit status: 0 passed, 77 skipped, 1 failed (what failed and the ends of the logs are printed).
"""
import argparse
import shlex
import sys

from runner import Failed, Runner, Skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--options", default="", help="more options for dump and restore")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("name")
    parser.add_argument("flavour", choices=("host", "ns", "leave", "killed", "copies", "cold"))
    args = parser.parse_args()
    runner = None
    try:
        runner = Runner(args.build, args.name, args.verbose, shlex.split(args.options))
        if args.flavour == "cold":
            runner.start()
            runner.stop()
            runner.check_logs()
        elif args.flavour == "leave":
            runner.leave()
        elif args.flavour == "killed":
            runner.killed()
        elif args.flavour == "copies":
            runner.side_by_side()
        else:
            runner.generations(args.flavour)
        times = ", ".join(f"{k} {1000 * min(v):.1f} ms" for k, v in runner.times.items())
        print(f"{args.name} {args.flavour}: passed; {times}")
        return 0
    except Skipped as e:
        print(f"{args.name} {args.flavour}: skipped: {e}")
        return 77
    except Failed as e:
        print(f"{args.name} {args.flavour}: FAILED: {e}")
        if runner:
            runner.print_tails()
        return 1
    finally:
        if runner:
            runner.clean(args.keep)


if __name__ == "__main__":
    sys.exit(main())
