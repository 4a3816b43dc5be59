"""An HTTP server with a client whose connection is kept alive through every dump."""
import os
import time

from service import Service
from wire import connect, http


class WebService(Service):
    options = ["--tcp-established"]
    kept_path = "/"    # what the kept connection asks for
    session = None

    def before_dump(self):
        if self.sessions:
            self.session = connect(self.port)
            assert http(self.port, self.kept_path, s=self.session)[0] == 200

    def check(self, generation):
        if self.session:
            assert http(self.port, self.kept_path, s=self.session)[0] == 200
            self.session.close()
            self.session = None

    def replace_workers(self, number):
        """Sends a signal on which the master starts new workers; returns when the old ones, which close kept connections, are gone."""
        with open(f"/proc/{self.root}/task/{self.root}/children") as f:
            old = f.read().split()
        os.kill(self.root, number)
        end = time.monotonic() + self.timeout
        while any(os.path.exists("/proc/" + pid) for pid in old):
            assert time.monotonic() < end, f"of the old workers {old} some stay"
            time.sleep(0.002)
