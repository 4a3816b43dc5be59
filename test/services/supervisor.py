import os
import subprocess
import time

from service import Service

CONFIG = """[supervisord]
nodaemon=true
logfile={dir}/log
pidfile={dir}/pid
childlogdir={dir}
[unix_http_server]
file={dir}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{dir}/sock
[program:cat]
command=/bin/cat
[program:ticker]
command=/bin/sh -c 'while sleep 0.02; do echo tick; done'
stdout_logfile={dir}/ticks
"""


class Subject(Service):
    """supervisord with two children, one of them killed after the restore: it is started again."""
    needs = ["supervisord"]
    errors = r"CRIT (?!Supervisor is running as root|Supervisor running as root|Server 'unix_http_server' running without)|ERRO"
    logs = ["output", "log"]
    seen = 0

    def prepare(self):
        self.write("supervisord.conf", CONFIG.format(dir=self.directory))

    def argv(self):
        return ["/usr/bin/python3", "/usr/bin/supervisord", "-c", self.path("supervisord.conf")]

    def ticks(self):
        return os.stat(self.path("ticks")).st_size

    def mark(self):
        self.seen = self.ticks()

    def ask(self):
        if not self.ticks() > self.seen:
            raise BlockingIOError("it does not tick yet")

    def control(self, *words):
        """By its socket in the directory that is this copy's."""
        return subprocess.run(["/usr/bin/python3", "/usr/bin/supervisorctl", "-c", self.path("supervisord.conf"), "-s",
                               "unix://" + self.path("sock"), *words], stdout=subprocess.PIPE, text=True)

    def status(self):
        seen = self.control("status")
        return {line.split()[0]: line.split() for line in seen.stdout.splitlines()}

    def load(self):
        self.running()

    def running(self):
        """The status when both run: they count as starting for a second."""
        end = time.monotonic() + self.timeout
        while {each[1] for each in self.status().values()} != {"RUNNING"}:
            assert time.monotonic() < end, self.status()
        return self.status()

    def check(self, generation):
        status = self.running()
        assert self.control("signal", "KILL", "cat").returncode == 0
        end = time.monotonic() + self.timeout
        while (now := self.status()["cat"])[1] != "RUNNING" or now[3] == status["cat"][3]:
            assert time.monotonic() < end, now
