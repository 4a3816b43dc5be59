"""A small process tree that counts: SIGUSR1 adds one and shows "nCOUNT.PID.CHILD" as its command name. A worker thread and a forked
child must be alive for that."""
import os
import signal
import threading

count = 0


def work(event):
    event.wait()


def child():
    while True:
        signal.pause()


def tick():
    global count
    os.kill(forked, 0)
    os.stat(f"/proc/self/task/{worker.native_id}")  # /proc is the one of our own pid namespace
    if os.readlink("/proc/self") != str(os.getpid()):
        return
    count += 1
    with open("/proc/self/comm", "w") as f:
        f.write(f"n{count}.{os.getpid()}.{forked}")


forked = os.fork()
if forked == 0:
    child()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
worker = threading.Thread(target=work, args=(threading.Event(),), daemon=True)
worker.start()
while True:
    tick()
    signal.sigwait({signal.SIGUSR1})
