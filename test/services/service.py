"""What one service is, for the tests and the benchmark: how its users start it, what the first answer is, how it stops."""
import os
import re
import signal

import wire

ERROR = r"(?i)\b(error|errors|fatal|panic|emerg|alert|crit|critical|assert\w*|segfault|corrupt\w*|traceback|exception)\b"


class Service:
    """One file of this folder defines a subclass called Subject. A service lives in a directory of its own, its stdio on
    /dev/null and on the file `output` there, all other descriptors closed."""

    user = None            # runs as this user, the one of its package; None: root
    needs = ()             # programs that must be there, else the test is skipped
    options = []           # for dump and restore
    environment = {}
    logs = ["output"]      # files to search for errors, relative to the directory
    errors = ERROR         # what no line of a log may match ...
    harmless = None        # ... except lines that match this
    timeout = 20.0         # seconds for every wait
    stop_signal = signal.SIGTERM
    exit_codes = (0,)      # of a graceful stop; None: any
    sessions = True        # clients stay connected through the dumps, where the service has such in load()

    def __init__(self, directory):
        self.directory = directory
        self.port = wire.free_port()
        self.root = 0      # pid of the service's first process, for those who need it

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    # --- to be defined -----------------------------------------------------------------------------------------------
    def prepare(self):
        """Writes configuration and data directory; runs before the clock of the cold start."""

    def argv(self):
        raise NotImplementedError

    def ask(self):
        """Asks the service something; raises OSError as long as there is no answer, AssertionError if it is wrong."""
        raise NotImplementedError

    def load(self):
        """Gives the service state that must survive."""

    def before_dump(self):
        """Starts what shall be under way during the dump."""

    def check(self, generation):
        """Asserts that the state is there and that the service still works in full. Called after every restore."""
        self.ask()

    def mark(self):
        """Called before every restore, and before a dump that leaves it running, for those whose answer is that something goes on."""

    def stop(self, pid):
        os.kill(pid, self.stop_signal)

    def check_result(self):
        """Asserts that what it left behind after its end is right."""

    # --- what all share ----------------------------------------------------------------------------------------------
    def log_errors(self):
        found = []
        for name in self.logs:
            path = self.path(name)
            if not os.path.exists(path):
                continue
            with open(path, errors="replace") as f:
                for line in f:
                    if re.search(self.errors, line) and not (self.harmless and re.search(self.harmless, line)):
                        found.append(f"{name}: {line.rstrip()}")
        return found
