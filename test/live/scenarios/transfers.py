#!/usr/bin/python3
"""A file goes over a wire while its server and its client are dumped, killed and ns-restored in turns, fifty times:
transfers.py NAME BUILD [--full]

Each function test_NAME is the ctest live.transfers.NAME. With --full the file has 1 GiB, otherwise 192 MiB."""
import hashlib
import os
import random
import shutil
import sys
import time

from common import Failed, Scenario, say, until
from hosts import SERVER, Link, Watch

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, PORT, ESTABLISHED = 50, 4711, "--tcp-established"
SECONDS = 9       # that the wire needs for the file when nobody disturbs: longer than the rounds leave it in all
LONGEST = 5.0     # seconds without any progress that count as a stall
NGINX = """user www-data;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{ sendfile on; access_log {dir}/access.log; send_timeout 60; server {{ listen {address}:{port}; root {dir}/www; }} }}
"""


def make_file(path, size):
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for n in range(size >> 20):
            f.write(block[n:] + block[:n])


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.hexdigest()


class Transfer:
    def __init__(self, s, size):
        self.s, self.size, self.source, self.sink = s, size, s.path("www", "source"), s.path("sink")
        self.link = Link(s, size * 8 // SECONDS // 1000000)
        os.mkdir(s.path("www"))
        make_file(self.source, size)
        for path in (s.dir, s.path("www")):
            os.chmod(path, 0o755)
        self.pids = {}

    def start(self, host, *argv):
        self.pids[host] = self.s.spawn([*self.link.inside[host], *argv]).pid

    def listening(self):
        return "LISTEN" in self.s.command([*self.link.inside["server"], "ss", "-Htln", f"sport = :{PORT}"]).stdout

    def connected(self):
        return "ESTAB" in self.link.sockets("client", PORT) and os.path.exists(self.sink)

    def received(self):
        return os.path.getsize(self.sink)

    def move(self, host, n):
        images, enter = f"images.{n}", self.link.inside[host]
        begin = time.monotonic()
        self.s.dump(self.pids[host], images, ESTABLISHED, enter=enter)
        self.s.gone([self.pids[host]])
        self.pids[host] = self.s.ns_restore(images, ESTABLISHED, enter=enter)
        shutil.rmtree(self.s.path(images))
        return time.monotonic() - begin

    def run(self, *movers):
        until(self.connected, "the two are connected")
        watch = Watch(lambda: self.link.sockets("server", PORT) + self.link.sockets("client", PORT))
        times = []
        for n in range(ROUNDS):
            if self.received() >= self.size:
                raise Failed(f"the transfer was over after {n} rounds")
            times.append(self.move(movers[n % len(movers)], n))
            time.sleep(random.uniform(0, 0.1))   # the moment of the next dump is no one's to choose
        until(lambda: self.received() == self.size, "all of the file has come", 60)
        longest = watch.end()
        say(f"{ROUNDS} rounds, {self.size >> 20} MiB, dump and restore {1000 * sum(times) / len(times):.0f} ms (longest {1000 * max(times):.0f}), "
            f"longest time without progress {longest:.2f} s")
        if digest(self.source) != digest(self.sink):
            raise Failed("the file that came is not the file that was sent")
        if longest > LONGEST:
            raise Failed(f"the transfer stood still for {longest:.1f} s:\n{watch.seen}")
        if resets := self.link.resets():
            raise Failed(f"{resets} resets were seen")
        if locks := self.link.locks():
            raise Failed(f"firewall tables left behind: {locks}")


def test_socat(t):
    """socat sends, socat receives."""
    t.start("server", "socat", "-u", f"TCP-LISTEN:{PORT},reuseaddr,bind={SERVER}", f"CREATE:{t.sink}")
    until(t.listening, "the receiver listens")
    t.start("client", "socat", "-u", f"FILE:{t.source}", f"TCP:{SERVER}:{PORT}")
    t.run("server", "client")


def test_python_nc(t):
    """python3 sends, nc receives."""
    t.start("server", "/usr/bin/python3", os.path.join(HERE, "send_file.py"), SERVER, str(PORT), t.source)
    until(t.listening, "the sender listens")
    # nc writes to its standard output.
    t.start("client", "/bin/sh", "-c", f"exec nc -d {SERVER} {PORT} > {t.sink}")
    t.run("server", "client")


def test_nginx_curl(t):
    """nginx sends with sendfile(2), curl receives."""
    with open(t.s.path("nginx.conf"), "w") as f:
        f.write(NGINX.format(dir=t.s.dir, address=SERVER, port=PORT))
    t.start("server", "nginx", "-c", t.s.path("nginx.conf"), "-g", "daemon off;")
    until(t.listening, "nginx listens")
    t.start("client", "curl", "-sS", "-o", t.sink, f"http://{SERVER}:{PORT}/source")
    t.run("server", "client")


if __name__ == "__main__":
    scenario = Scenario(sys.argv[2])
    scenario.main(lambda s: globals()["test_" + sys.argv[1]](Transfer(s, (1 << 30) if "--full" in sys.argv else (192 << 20))))
