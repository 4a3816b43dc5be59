"""Runs inside the guest of scripts/test-kernels:  guest.py tests | restart-dump | restart-restore

Everything goes to stdout, the last line is the result. A guest without hardware virtualisation is ten times slower, hence
NSR_PATIENCE, by which the tests multiply their limits."""
import json
import os
import re
import shlex
import socket
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


def command(port, line):
    """One inline command to redis, and the first line of its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(line.encode() + b"\r\n")
        with s.makefile("r") as answers:
            first = answers.readline().strip()
            return answers.readline().strip() if first.startswith("$") and first != "$-1" else first


class Web:
    """A web service with a worker thread and a child (scenarios/service.py)."""
    name = "web"
    argv = ["/usr/bin/python3", "{repository}/test/live/scenarios/service.py", str(PORT), DATA + "/service.log"]

    def facts(self):
        return fetch()

    def fault(self, before, after):
        changed = [k for k in ("pid", "thread", "child") if before[k] != after[k]]
        if changed or after["hits"] != before["hits"] + 1:
            return f"its ids or its state are not those of before: {before}, {after}"
        return "" if after["monotonic"] >= before["monotonic"] else "CLOCK_MONOTONIC went back"


class Redis:
    """redis-server with 1,000 keys, half of which expire in an hour."""
    name = "redis"
    argv = ["/usr/bin/redis-server", "--port", str(PORT + 1), "--save", "", "--enable-debug-command", "yes", "--dir", DATA]

    def facts(self):
        port = PORT + 1
        for n in range(1000):
            command(port, f"SET key:{n} value-{n} NX" + (" EX 3600" if n % 2 else ""))
        info = dict(line.split(":", 1) for line in self.info(port) if ":" in line)
        return {"pid": int(info["process_id"]), "run_id": info["run_id"], "digest": command(port, "DEBUG DIGEST"),
                "uptime": int(info["uptime_in_seconds"])}

    @staticmethod
    def info(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
            s.sendall(b"INFO server\r\nQUIT\r\n")
            with s.makefile("r") as answers:
                return answers.read().splitlines()

    def fault(self, before, after):
        if any(before[k] != after[k] for k in ("pid", "run_id", "digest")):
            return f"its process or its data are not those of before: {before}, {after}"
        return "" if after["uptime"] >= before["uptime"] else "its uptime went back"


SERVICES = (Web(), Redis())


def when_up(service):
    end = time.monotonic() + 240
    while True:
        try:
            return service.facts()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def restart_dump():
    failed = False
    for service in SERVICES:
        images = os.path.join(DATA, "images." + service.name)
        subprocess.run(["rm", "-rf", images], check=True)
        os.mkdir(images)
        argv = [word.replace("{repository}", read("repository")) for word in service.argv]
        process = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        when_up(service)
        with open(os.path.join(DATA, "before." + service.name), "w") as f:
            json.dump(service.facts(), f)
        if engine("ns-engine", "dump", "-t", str(process.pid), "-D", images, "-v4", "-o", "dump.log") != 0:
            print(service.name, subprocess.getoutput(f"grep Error {images}/dump.log"))
            process.kill()
            failed = True
        process.wait()
    print("FAILED" if failed else "passed")


def restart_restore():
    faults = []
    for service in SERVICES:
        images, before = os.path.join(DATA, "images." + service.name), json.loads(read("before." + service.name))
        if engine("ns-restore", "-d", "-D", images, "-v4", "-o", "restore.log") != 0:
            faults.append(f"{service.name}: " + subprocess.getoutput(f"tail -5 {images}/restore.log"))
            continue
        after = when_up(service)
        print(f"{service.name} under {os.uname().release}: {before} -> {after}")
        if fault := service.fault(before, after):
            faults.append(f"{service.name}: {fault}")
    print("FAILED: " + "; ".join(faults) if faults else "passed")


{"tests": run_tests, "restart-dump": restart_dump, "restart-restore": restart_restore}[sys.argv[1]]()
