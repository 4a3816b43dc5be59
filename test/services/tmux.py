import os
import subprocess
import time

from service import Service


class Subject(Service):
    """A tmux server with four windows, each on a terminal of its own: bash with jobs, vim, top, the sqlite3 shell."""
    needs = ["tmux", "vim", "top", "sqlite3", "bash"]
    timeout = 30.0
    options = ["--file-locks"]
    errors = r"(?i)error|fatal"
    exit_codes = None

    def prepare(self):
        self.write("tmux.conf", "set -g default-command 'bash --norc'\nset -g exit-empty off\n")
        self.environment = {"TERM": "screen", "PS1": "$ ", "SHELL": "/bin/bash"}

    def argv(self):
        return ["tmux", "-D", "-S", self.path("socket"), "-f", self.path("tmux.conf")]

    def tmux(self, *words):
        seen = subprocess.run(["tmux", "-S", self.path("socket"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory,
                              env={"PATH": os.environ["PATH"], "TERM": "screen", "HOME": self.directory, "LANG": "C.UTF-8"}, timeout=10)
        if seen.returncode:
            raise ConnectionRefusedError(seen.stderr.decode().strip())
        return seen.stdout.decode()

    def ask(self):
        self.tmux("list-sessions")

    def shows(self, window, text):
        end = time.monotonic() + self.timeout
        while text not in self.tmux("capture-pane", "-p", "-t", "main:" + window):
            assert time.monotonic() < end, f"{window} does not show {text!r}: " + self.tmux("capture-pane", "-p", "-t", "main:" + window)

    def type(self, window, text, *keys):
        if text.endswith(";"):
            text = text[:-1] + "\\;"  # tmux takes a last semicolon for its own
        self.tmux("send-keys", "-t", "main:" + window, "-l", text)
        if keys:
            self.tmux("send-keys", "-t", "main:" + window, *keys)

    def load(self):
        self.tmux("new-session", "-d", "-s", "main", "-n", "shell", "-x", "100", "-y", "30")
        self.tmux("new-window", "-t", "main", "-n", "editor", "vim -u NONE -n text")
        self.tmux("new-window", "-t", "main", "-n", "monitor", "top -d 0.2")
        self.tmux("new-window", "-t", "main", "-n", "database", "sqlite3 database")
        self.type("shell", "variable=kept; sleep 1000 & sleep 2000 | cat & echo started $((40 + 2))", "Enter")
        self.shows("shell", "started 42")
        self.type("editor", "ifirst line", "Escape")
        self.shows("editor", "first line")
        self.shows("monitor", "load average")
        self.type("database", "create table t(n); begin; insert into t values (1);", "Enter")
        self.type("database", "select 'rows', count(*) from t;", "Enter")
        self.shows("database", "rows|1")

    def check(self, generation):
        self.type("shell", f"clear; jobs; echo $variable in $((1000 + {generation}))", "Enter")
        self.shows("shell", f"kept in {1000 + generation}")
        self.shows("shell", "sleep 2000 | cat")
        self.type("editor", f"onext {generation}", "Escape")
        self.type("editor", f":w! text{generation}", "Enter")
        self.shows("editor", f'"text{generation}"')
        with open(self.path(f"text{generation}")) as f:
            assert f.read().endswith(f"next {generation}\n")
        self.type("database", f"insert into t values ({generation}); select 'rows', count(*) from t;", "Enter")
        self.shows("database", f"rows|{generation + 1}")
        self.shows("monitor", "load average")

    def stop(self, pid):
        self.type("database", "commit;", "Enter")
        self.type("database", ".quit", "Enter")
        self.tmux("kill-server")
