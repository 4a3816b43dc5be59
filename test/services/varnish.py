import subprocess

from service import Service
from wire import connect, http

PROGRAM = """vcl 4.1;
backend none none;
sub vcl_recv { return (synth(200, "OK")); }
sub vcl_synth { set resp.http.Content-Type = "text/plain"; set resp.body = "hello " + resp.http.X-Varnish; return (deliver); }
"""


class Subject(Service):
    """The manager and the cache process, hundreds of threads, compiled configuration, shared memory log."""
    needs = ["varnishd"]
    options = ["--tcp-established", "--file-locks"]
    errors = r"panic|Error: (?!Manager got SIGTERM)|died"
    timeout = 40.0

    def prepare(self):
        self.write("default.vcl", PROGRAM)

    def argv(self):
        return ["varnishd", "-F", "-a", f"127.0.0.1:{self.port}", "-f", self.path("default.vcl"), "-n", self.path("state"), "-s", "malloc,64m"]

    def ask(self):
        status, body = http(self.port)
        assert status == 200 and body.startswith(b"hello "), (status, body)

    def check(self, generation):
        for _ in range(20):
            self.ask()
        seen = subprocess.run(["varnishadm", "-n", self.path("state"), "ping"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert seen.stdout.startswith("PONG"), seen.stdout
