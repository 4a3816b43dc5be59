import os
import signal

from web import WebService
from wire import http


class Subject(WebService):
    user = "www-data"
    needs = ["lighttpd"]
    logs = ["output", "error.log"]
    stop_signal = signal.SIGINT  # a graceful one

    def prepare(self):
        os.mkdir(self.path("www"))
        self.write("www/index.html", "hello\n")
        self.write("lighttpd.conf", f'server.document-root = "{self.path("www")}"\nserver.port = {self.port}\nserver.bind = "127.0.0.1"\n'
                                    f'index-file.names = ("index.html")\nserver.errorlog = "{self.path("error.log")}"\n')

    def argv(self):
        return ["lighttpd", "-D", "-f", self.path("lighttpd.conf")]

    def ask(self):
        assert http(self.port) == (200, b"hello\n")

    def check(self, generation):
        super().check(generation)
        self.write(f"www/new{generation}.html", str(generation))
        assert http(self.port, f"/new{generation}.html") == (200, str(generation).encode())
