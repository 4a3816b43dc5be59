import os

from service import Service
from wire import connect

CONFIG = """http_port 127.0.0.1:{port}
visible_hostname localhost
pid_filename {dir}/pid
cache_log {dir}/cache.log
access_log {dir}/access.log
coredump_dir {dir}
cache_dir ufs {dir}/cache 10 4 4
cache_effective_user proxy
http_access allow localhost
shutdown_lifetime 1 seconds
pinger_enable off
"""


class Subject(Service):
    """Parent and kid, a disk cache with its I/O helper; shared memory for the kids."""
    user = "proxy"
    needs = ["squid"]
    options = ["--tcp-established", "--file-locks"]
    logs = ["output", "cache.log"]
    errors = r"FATAL|ERROR"
    timeout = 40.0

    def prepare(self):
        for i in range(4):
            for j in range(4):
                os.makedirs(self.path("cache", f"{i:02X}", f"{j:02X}"))
        self.write("squid.conf", CONFIG.format(dir=self.directory, port=self.port))

    def argv(self):
        return ["squid", "--foreground", "-f", self.path("squid.conf")]

    def get(self, s, path):
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        f = s.makefile("rb")
        status, size = f.readline().split()[1], 0
        while (line := f.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return status, f.read(size)

    def ask(self):
        with connect(self.port) as s:
            status, body = self.get(s, "/squid-internal-static/icons/SN.png")
            assert status == b"200" and len(body) > 100, status

    def check(self, generation):
        for _ in range(20):
            self.ask()
