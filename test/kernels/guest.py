"""Runs inside the guest of scripts/test-kernels:  guest.py tests | restart-dump | restart-restore

Everything goes to stdout, the last line is the result. A guest without hardware virtualisation is ten times slower, hence
NSR_PATIENCE, by which the tests multiply their limits."""
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request

PATIENCE = 8
DATA = "/data"
PORT = 8123


def read(name):
    with open(os.path.join(DATA, name)) as f:
        return f.read().strip()


def fetch():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=60) as reply:
        return json.load(reply)


def first_answer():
    end = time.monotonic() + 120
    while True:
        try:
            return fetch()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def run_tests():
    environment = os.environ | {"NSR_PATIENCE": str(PATIENCE)}
    counts = {"passed": 0, "skipped": 0, "failed": 0}
    for line in read("tests").splitlines():
        name, limit, command = line.split(" ", 2)
        begin = time.monotonic()
        try:
            done = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", env=environment, timeout=int(limit) * PATIENCE)
            status, text = done.returncode, done.stdout
        except subprocess.TimeoutExpired as expired:
            status, text = "timeout", (expired.stdout or b"").decode(errors="replace")
        outcome = {0: "passed", 77: "skipped"}.get(status, "failed")
        counts[outcome] += 1
        print(f"{outcome.upper() if outcome == 'failed' else outcome} {name} {time.monotonic() - begin:.1f} s", flush=True)
        if outcome != "passed":
            told = [line for line in text.splitlines() if "Error (" in line or not re.match(r"\(\d+\.\d+\) ", line)]
            print("    " + "\n    ".join(told[:25]), flush=True)
    print(", ".join(f"{n} {what}" for what, n in counts.items()))


def engine(program, *words):
    begin = time.monotonic()
    done = subprocess.run([os.path.join(read("build"), "bin", program), *words], stdin=subprocess.DEVNULL)
    print(f"{program}: status {done.returncode}, {(time.monotonic() - begin) * 1000:.0f} ms", flush=True)
    return done.returncode


def restart_dump():
    images = os.path.join(DATA, "images")
    subprocess.run(["rm", "-rf", images], check=True)
    os.mkdir(images)
    service = subprocess.Popen(["/usr/bin/python3", os.path.join(read("repository"), "test/live/scenarios/service.py"), str(PORT),
                                os.path.join(DATA, "service.log")], start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first_answer()
    before = [fetch() for _ in range(3)][-1]
    with open(os.path.join(DATA, "before"), "w") as f:
        json.dump(before, f)
    status = engine("ns-engine", "dump", "-t", str(service.pid), "-D", images, "-v4", "-o", "dump.log")
    service.wait()
    print("passed" if status == 0 else "FAILED: " + subprocess.getoutput(f"grep Error {images}/dump.log"))


def restart_restore():
    images, before = os.path.join(DATA, "images"), json.loads(read("before"))
    if engine("ns-restore", "-d", "-D", images, "-v4", "-o", "restore.log") != 0:
        print("FAILED: " + subprocess.getoutput(f"tail -5 {images}/restore.log"))
        return
    after = first_answer()
    ids = {key: (before[key], after[key]) for key in ("pid", "thread", "child")}
    print(f"hits {before['hits']} -> {after['hits']}, ids {ids}, kernel {os.uname().release}")
    kept = after["hits"] == before["hits"] + 1 and all(was == now for was, now in ids.values())
    print("passed" if kept else "FAILED: state or ids are not those of before")


{"tests": run_tests, "restart-dump": restart_dump, "restart-restore": restart_restore}[sys.argv[1]]()
