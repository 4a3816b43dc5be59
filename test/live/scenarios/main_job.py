#!/usr/bin/python3
"""The main job, told in plain lines:  main_job.py BUILD

A web service is dumped, other processes take all its ids, ns-restore brings it back under these ids on the busy host and its
counter goes on. Exit status 0: all of that was seen to be true."""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from common import Failed, Scenario, inner_pid, read, say, threads_of, tree_of

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
        return json.load(reply)


def first_answer(port, process):
    """Tries until the service answers."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return fetch(port)
        except OSError:
            if process.poll() is not None:
                raise Failed("the service did not start")
            time.sleep(0.001)
    raise Failed("the service gave no answer")


def demand(truth, what):
    if not truth:
        raise Failed(what)


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def run(s):
    port, log = free_port(), s.path("service.log")
    begin = time.monotonic()
    service = s.spawn(["/usr/bin/python3", os.path.join(HERE, "service.py"), str(port), log])
    first_answer(port, service)
    cold = time.monotonic() - begin
    before = [fetch(port) for _ in range(4)][-1]
    ids = sorted(i for pid in tree_of(service.pid) for i in threads_of(pid))
    say(f"A python3 web service runs: pid {before['pid']}, worker thread {before['thread']}, child {before['child']}; "
        f"it has counted {before['hits']} hits.")

    begin = time.monotonic()
    s.dump(service.pid, "images")
    dump_time = time.monotonic() - begin
    s.gone(ids)
    size = sum(os.path.getsize(s.path("images", name)) for name in os.listdir(s.path("images")))
    say(f"ns-engine dump -t {service.pid} -D images: it is gone, its state is {size / 1048576:.1f} MiB of image files.")
    try:
        fetch(port)
        raise Failed("somebody still answers after the dump")
    except OSError:
        pass

    s.occupy(ids)
    say(f"Its ids {' '.join(map(str, ids))} now belong to other processes of this host.")

    begin = time.monotonic()
    root = s.ns_restore("images")
    after = fetch(port)
    warm = time.monotonic() - begin
    say(f"ns-restore -d -D images: it is back, as pid {root} for the host and pid {inner_pid(root)} for itself; "
        f"hit number {after['hits']}.")

    demand(after["hits"] == before["hits"] + 1, f"the counter went from {before['hits']} to {after['hits']}")
    demand(after["child_hits"] == before["child_hits"] + 1, "the child's counter did not go on")
    demand(all(after[k] == before[k] for k in ("pid", "thread", "child")), f"the ids changed: {before} {after}")
    demand(sorted(inner_pid(t, pid) for pid in tree_of(root) for t in threads_of(pid)) == ids, "the inner ids changed")
    demand(root not in ids, "the host's id is the old one")
    with open(log) as f:
        demand(f.read() == "".join(f"hit {n + 1}\n" for n in range(after["hits"])), "the log file does not go on")
    lost = [(i, read(f"/proc/{i}/comm")) for i in ids if not s.occupier_has(i)]
    demand(not lost, f"the host's other processes are gone: {lost}")

    print()
    say(f"dump {ms(dump_time)}   images {size / 1048576:.2f} MiB   restore to first answer {ms(warm)}   cold start {ms(cold)}")


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
