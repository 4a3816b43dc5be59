import os
import subprocess

from service import Service
from wire import connect

CONFIG = """ListenAddress 127.0.0.1:{port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/key.pub
PidFile {dir}/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin yes
"""


class Subject(Service):
    """sshd with a session: the client stays outside, its connection and the session's cat go through the dump."""
    needs = ["/usr/sbin/sshd", "ssh", "ssh-keygen"]
    options = ["--tcp-established"]
    errors = r"(?i)error|fatal|corrupted"
    exit_codes = None

    def prepare(self):
        os.makedirs("/run/sshd", exist_ok=True)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        self.write("sshd_config", CONFIG.format(port=self.port, dir=self.directory))

    def argv(self):
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.path("sshd_config")]

    def ask(self):
        with connect(self.port) as s:
            assert s.recv(8) == b"SSH-2.0-"

    def load(self):
        if not self.sessions:
            return
        self.session = subprocess.Popen(
            ["ssh", "-p", str(self.port), "-i", self.path("key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
             "-F", "none", "-q", "root@127.0.0.1", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.line(b"before\n")

    def line(self, text):
        self.session.stdin.write(text)
        self.session.stdin.flush()
        assert self.session.stdout.readline() == text

    def check(self, generation):
        if self.sessions:
            self.line(b"generation %d\n" % generation)
        seen = subprocess.run(["ssh", "-p", str(self.port), "-i", self.path("key"), "-o", "StrictHostKeyChecking=no", "-o",
                               "UserKnownHostsFile=/dev/null", "-F", "none", "-q", "root@127.0.0.1", "echo new"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=20)
        assert seen.stdout == b"new\n", seen.returncode

    def stop(self, pid):
        if self.sessions:
            self.session.stdin.close()
            assert self.session.wait(10) == 0
        super().stop(pid)
