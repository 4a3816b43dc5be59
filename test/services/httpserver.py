import signal

from service import Service
from wire import http


class Subject(Service):
    """python3 -m http.server"""
    user = "www-data"
    needs = ["/usr/bin/python3"]
    stop_signal = signal.SIGINT
    exit_codes = (0, 130)
    options = ["--tcp-established"]

    def prepare(self):
        self.write("index.html", "hello\n")

    def argv(self):
        return ["/usr/bin/python3", "-u", "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]

    def ask(self):
        assert http(self.port) == (200, b"hello\n")

    def check(self, generation):
        self.write("new", str(generation))
        assert http(self.port, "/new") == (200, str(generation).encode())
