"""A program that works towards an end instead of answering: its answer is that its work goes on, its graceful stop that it
ends by itself with the right result."""
import os

from service import Service


class Progress(Service):
    timeout = 150.0
    seen = -1

    def amount(self):
        """How much is done; only grows."""
        raise NotImplementedError

    def mark(self):
        self.seen = self.amount()

    def ask(self):
        if self.finished or self.amount() > self.seen:
            return
        raise BlockingIOError("no progress yet")

    @property
    def finished(self):
        return False

    def stop(self, pid):
        """It ends by itself."""

    def size(self, name):
        try:
            return os.stat(self.path(name)).st_size
        except FileNotFoundError:
            return -1
