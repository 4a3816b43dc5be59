import socket

from web import WebService
from wire import http

CONFIG = """global
  stats socket {dir}/admin.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend web
  bind 127.0.0.1:{port}
  stick-table type ip size 100 store http_req_cnt
  http-request track-sc0 src
  http-request return status 200 content-type text/plain lf-string "%[sc_http_req_cnt(0)]"
"""


class Subject(WebService):
    """Master and worker, as the package's unit runs it; requests are counted in a stick table."""
    user = "haproxy"
    needs = ["haproxy"]
    errors = r"\[ALERT\]|\[WARNING\].*(?!stopping)exited"
    harmless = r"Former worker|Exiting|exited with code (143|0)"
    exit_codes = (0, 143, -15)

    def prepare(self):
        self.write("haproxy.cfg", CONFIG.format(dir=self.directory, port=self.port))

    def argv(self):
        return ["haproxy", "-W", "-f", self.path("haproxy.cfg"), "-p", self.path("haproxy.pid")]

    def ask(self):
        status, count = http(self.port)
        assert status == 200 and int(count) > 0

    def load(self):
        self.count = int(http(self.port)[1])

    def check(self, generation):
        super().check(generation)
        count = int(http(self.port)[1])
        assert count > self.count, (count, self.count)
        self.count = count
        with socket.socket(socket.AF_UNIX) as s:  # bound under another name and renamed
            s.connect(self.path("admin.sock"))
            s.sendall(b"show info\n")
            assert s.recv(100).startswith(b"Name: HAProxy")
