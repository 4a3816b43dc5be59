#!/usr/bin/python3
"""What live TCP connections cost:  network_bench.py BUILD [ROUNDS]

A server with 1, 10, 100 and 1,000 connections to clients outside of its tree is dumped and goes on (leave), then dumped,
killed and ns-restored. Medians of ROUNDS in milliseconds: how long the network
was held still, out of the engine's log, and the whole commands."""
import os
import re
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live", "scenarios"))
from common import Failed, Scenario, read, say, until  # noqa: E402


def logged(log, pattern):
    found = re.search(pattern, read(log))
    return int(found[1]) / 1000 if found else 0.0


def timed(call):
    begin = time.monotonic()
    result = call()
    return result, 1000 * (time.monotonic() - begin)


class Server:
    def __init__(self, s, connections):
        self.s = s
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.pid = s.spawn(["/usr/bin/python3", os.path.join(HERE, "..", "live", "scenarios", "echo.py"), str(port)]).pid
        until(lambda: subprocess.run(["ss", "-Htln", f"sport = :{port}"], stdout=subprocess.PIPE).stdout, "it listens")
        self.clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        self.ask()

    def ask(self):
        for n, client in enumerate(self.clients):
            client.sendall(b"%d" % n)
        for n, client in enumerate(self.clients):
            client.settimeout(20)
            if client.recv(16) != b"%d" % n:
                raise Failed(f"client {n} got another answer")

    def round(self, name):
        images, row = f"images.{name}", {}
        s = self.s
        _, row["leave"] = timed(lambda: s.dump(self.pid, images, "-R", "-v4", "--tcp-established"))
        row["held"] = logged(s.path(images, "dump.log"), r"let go after (\d+) us")
        self.ask()
        images += ".kill"
        _, row["dump"] = timed(lambda: s.dump(self.pid, images, "--tcp-established"))
        s.gone([self.pid])
        self.pid, row["restore"] = timed(lambda: s.ns_restore(images, "-v4", "--tcp-established"))
        row["restore held"] = logged(s.path(images, "restore.log"), r"let go after (\d+) us")
        self.ask()
        return row


def main(s):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    columns = ("held", "leave", "dump", "restore held", "restore")
    say("connections " + " ".join(f"{c:>13}" for c in columns))
    for connections in (1, 10, 100, 1000):
        server = Server(s, connections)
        rows = [server.round(f"{connections}.{n}") for n in range(rounds)]
        say(f"{connections:>11} " + " ".join(f"{statistics.median(r[c] for r in rows):13.1f}" for c in columns))


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(main)
