import os
import signal
import struct

from service import Service
from wire import connect, exactly

POOL = """[global]
error_log = {dir}/fpm.log
pid = {dir}/fpm.pid
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{port}
pm = dynamic
pm.max_children = 5
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
"""


class Subject(Service):
    """The master runs as root, its workers as www-data; opcache in shared memory."""
    needs = ["php-fpm8.2"]
    options = ["--tcp-established"]
    logs = ["output", "fpm.log"]
    harmless = "NOTICE: error log file re-opened"
    stop_signal = signal.SIGQUIT

    def prepare(self):
        self.write("fpm.conf", POOL.format(dir=self.directory, port=self.port))
        self.write("index.php", "<?php echo 'hello ', PHP_VERSION_ID >= 80200 ? 'ok' : 'old', ' ', intdiv(85, 2);")

    def argv(self):
        return ["php-fpm8.2", "--nodaemonize", "--fpm-config", self.path("fpm.conf")]

    @staticmethod
    def record(kind, body):
        return struct.pack("!BBHHBB", 1, kind, 1, len(body), 0, 0) + body

    def ask(self):
        fields = {"SCRIPT_FILENAME": self.path("index.php"), "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/index.php"}
        pairs = b"".join(struct.pack("!BB", len(k), len(v)) + k.encode() + v.encode() for k, v in fields.items())
        with connect(self.port) as s:
            s.sendall(self.record(1, struct.pack("!HB5x", 1, 0)) + self.record(4, pairs) + self.record(4, b"") + self.record(5, b""))
            text = b""
            while True:
                _, kind, _, size, padding, _ = struct.unpack("!BBHHBB", exactly(s, 8))
                body = exactly(s, size + padding)[:size]
                if kind == 6:
                    text += body
                if kind == 3:
                    break
        assert text.endswith(b"hello ok 42"), text

    def check(self, generation):
        for _ in range(10):
            self.ask()
        os.kill(self.root, signal.SIGUSR1)  # reopens its logs
        self.ask()
