import os
import re

from service import Service
from wire import connect, exactly, line_call

CONFIG = """listen=YES
listen_address=127.0.0.1
listen_port={port}
anonymous_enable=YES
local_enable=NO
write_enable=NO
anon_root={dir}/files
no_anon_password=YES
background=NO
isolate=NO
isolate_network=NO
pasv_address=127.0.0.1
secure_chroot_dir={dir}/empty
vsftpd_log_file={dir}/log
xferlog_enable=YES
"""


class Subject(Service):
    """An FTP session: its processes are without rights, in chroots, one behind a seccomp filter; it goes on after the dump."""
    needs = ["vsftpd"]
    options = ["--tcp-established"]
    exit_codes = (-15,)

    def prepare(self):
        for name in ("files", "empty"):
            os.mkdir(self.path(name))
        self.write("files/hello", "hello\n")
        self.write("vsftpd.conf", CONFIG.format(dir=self.directory, port=self.port))

    def argv(self):
        return ["vsftpd", self.path("vsftpd.conf")]

    @staticmethod
    def command(s, text, code):
        answer = line_call(s, text + b"\r\n")
        assert answer.startswith(code), (text, answer)
        return answer

    def ask(self):
        with connect(self.port) as s:
            assert line_call(s, b"").startswith(b"220")

    def login(self):
        s = connect(self.port)
        assert line_call(s, b"").startswith(b"220")
        self.command(s, b"USER anonymous", b"230")
        return s

    def fetch(self, s):
        words = list(map(int, re.search(rb"\((.*)\)", self.command(s, b"PASV", b"227"))[1].split(b",")))
        with connect(words[4] * 256 + words[5]) as data:
            self.command(s, b"RETR hello", b"150")
            assert exactly(data, 6) == b"hello\n"
        assert line_call(s, b"").startswith(b"226")

    def load(self):
        if self.sessions:
            self.session = self.login()
            self.fetch(self.session)

    def check(self, generation):
        if self.sessions:
            self.fetch(self.session)
        with self.login() as s:
            self.fetch(s)
            self.command(s, b"QUIT", b"221")

    def stop(self, pid):
        if self.sessions:
            self.command(self.session, b"QUIT", b"221")
        super().stop(pid)
