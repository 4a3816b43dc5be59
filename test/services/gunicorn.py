from service import Service
from wire import http

PROGRAM = """
import os
def app(environ, start_response):
    data = str(os.getpid()).encode() if environ['PATH_INFO'] == '/pid' else b'hello'
    start_response('200 OK', [('Content-Length', str(len(data)))])
    return [data]
"""


class Subject(Service):
    user = "www-data"
    needs = ["gunicorn"]
    options = ["--tcp-established"]

    def prepare(self):
        self.write("site_app.py", PROGRAM)

    def argv(self):
        return ["/usr/bin/python3", "/usr/bin/gunicorn", "--workers", "3", "--bind", f"127.0.0.1:{self.port}", "site_app:app"]

    def ask(self):
        assert http(self.port) == (200, b"hello")

    def load(self):
        """Until all workers serve."""
        pids = set()
        for _ in range(10000):
            pids.add(http(self.port, "/pid")[1])
            if len(pids) == 3:
                return
        raise AssertionError(f"only {len(pids)} workers")

    def check(self, generation):
        for _ in range(30):
            assert http(self.port, "/pid")[0] == 200
