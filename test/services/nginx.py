import os
import signal

from web import WebService
from wire import http

CONFIG = """user www-data;
worker_processes 2;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 768; }}
http {{
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  include /etc/nginx/mime.types;
  access_log {dir}/access.log;
  gzip on;
  server {{ listen 127.0.0.1:{port}; root {dir}/www; }}
}}
"""


class Subject(WebService):
    """The master runs as root, its workers as www-data."""
    needs = ["nginx"]
    logs = ["output", "error.log"]
    stop_signal = signal.SIGQUIT

    def prepare(self):
        self.write("nginx.conf", CONFIG.format(dir=self.directory, port=self.port))
        os.mkdir(self.path("www"))
        self.write("www/index.html", "hello\n")

    def argv(self):
        return ["nginx", "-c", self.path("nginx.conf"), "-g", "daemon off;"]

    def ask(self):
        assert http(self.port) == (200, b"hello\n")

    def check(self, generation):
        super().check(generation)
        self.write("www/new.html", f"generation {generation}\n")
        for _ in range(20):  # both workers get some
            assert http(self.port, "/new.html") == (200, f"generation {generation}\n".encode())
        with open(self.path("access.log")) as f:
            assert "/new.html" in f.read()
        self.replace_workers(signal.SIGHUP)
        self.ask()
