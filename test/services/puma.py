import os

from web import WebService
from wire import http

PROGRAM = """
count = Queue.new
run lambda { |env|
  count << 1
  [200, {'Content-Type' => 'text/plain'}, [env['PATH_INFO'] == '/pid' ? Process.pid.to_s : 'hello']]
}
"""


class Subject(WebService):
    """A Ruby application server in cluster mode: two workers with threads."""
    user = "www-data"
    needs = ["puma"]
    errors = r"(?i)error|exception|terminated"
    timeout = 40.0
    exit_codes = (0, -15)

    def prepare(self):
        self.write("config.ru", PROGRAM)

    def argv(self):
        return ["puma", "-w", "2", "-t", "1:3", "-b", f"tcp://127.0.0.1:{self.port}", self.path("config.ru")]

    def ask(self):
        assert http(self.port) == (200, b"hello")

    def load(self):
        pids = set()
        while len(pids) < 2:
            pids.add(http(self.port, "/pid")[1])

    def check(self, generation):
        super().check(generation)
        for _ in range(30):
            self.ask()
