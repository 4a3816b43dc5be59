"""A web service with all that makes one hard to restart: a hit counter in memory, a worker thread, a forked child that keeps its own
count, an open log file.  service.py PORT LOG"""
import http.server
import json
import os
import sys
import threading
import time

port, log_name = int(sys.argv[1]), sys.argv[2]
hits = done = 0
work = threading.Condition()


def child(requests, answers):
    asked = 0
    while os.read(requests, 1):
        asked += 1
        os.write(answers, f"{os.getpid()} {asked}\n".encode())
    os._exit(0)


def worker():
    global done
    while True:
        with work:
            while done == hits:
                work.wait()
            done = hits
            work.notify_all()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global hits
        with work:
            hits += 1
            work.notify_all()
            while done != hits:
                work.wait()
        os.write(ask, b"?")
        child_pid, child_count = os.read(answer, 100).split()
        log.write(f"hit {hits}\n")
        log.flush()
        text = json.dumps({"hits": hits, "pid": os.getpid(), "thread": thread.native_id, "child": int(child_pid),
                           "child_hits": int(child_count), "log_bytes": log.tell(), "monotonic": time.monotonic()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


requests, ask = os.pipe()
answer, answers = os.pipe()
if os.fork() == 0:
    os.close(ask)
    child(requests, answers)
os.close(requests)
os.close(answers)
thread = threading.Thread(target=worker, daemon=True)
thread.start()
log = open(log_name, "a")
server = http.server.HTTPServer(("127.0.0.1", port), Page)
server.serve_forever()
