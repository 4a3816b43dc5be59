import os
import signal

from progress import Progress

PROGRAM = """
import multiprocessing, signal, sys
def work(n):
    return sum(i * i for i in range(n % 997))
if __name__ == '__main__':
    going = True
    def end(number, frame):
        global going
        going = False
    def quiet():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    queue = multiprocessing.Queue()
    with multiprocessing.Pool(3, quiet) as pool:
        signal.signal(signal.SIGTERM, end)
        expected = [work(n) for n in range(500)]
        with open('progress', 'w') as f:
            while going:
                if pool.map(work, range(500), 20) != expected:
                    sys.exit('a worker calculated something else')
                queue.put('x')
                f.write(queue.get())
                f.flush()
        pool.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        pool.join()
"""


class Subject(Progress):
    """A computation with a pool of workers, queues with their feeder threads, and POSIX semaphores."""
    needs = ["/usr/bin/python3"]
    user = "nobody"

    def prepare(self):
        self.write("compute.py", PROGRAM)

    def argv(self):
        return ["/usr/bin/python3", "compute.py"]

    def amount(self):
        return self.size("progress")

    def check(self, generation):
        self.mark()

    def stop(self, pid):
        os.kill(pid, signal.SIGTERM)
