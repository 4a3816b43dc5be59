import os
import signal

from web import WebService
from wire import http

CONFIG = """ServerRoot /etc/apache2
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {dir}/apache.pid
DefaultRuntimeDir {dir}
ErrorLog {dir}/error.log
User www-data
Group www-data
LoadModule mpm_{mpm}_module /usr/lib/apache2/modules/mod_mpm_{mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
DocumentRoot {dir}/www
DirectoryIndex index.html
<Location /status>
SetHandler server-status
</Location>
"""


class Subject(WebService):
    """The event MPM: the master runs as root, its workers with 25 threads each as www-data, the scoreboard in shared memory."""
    mpm = "event"
    needs = ["apache2"]
    options = ["--tcp-established", "--file-locks"]
    logs = ["output", "error.log"]
    errors = r":(error|crit|alert|emerg)\]"
    stop_signal = signal.SIGTERM

    def prepare(self):
        self.write("apache2.conf", CONFIG.format(dir=self.directory, port=self.port, mpm=self.mpm))
        os.mkdir(self.path("www"))
        self.write("www/index.html", "hello\n")

    def argv(self):
        return ["apache2", "-DFOREGROUND", "-f", self.path("apache2.conf")]

    def ask(self):
        assert http(self.port) == (200, b"hello\n")

    def accesses(self):
        return int(http(self.port, "/status?auto")[1].split(b"Total Accesses: ")[1].split()[0])

    def load(self):
        for _ in range(20):
            self.ask()
        self.seen = self.accesses()

    def check(self, generation):
        super().check(generation)
        assert self.accesses() > self.seen
        for _ in range(50):
            self.ask()
        self.seen = self.accesses()
        self.replace_workers(signal.SIGUSR1)
        self.ask()
