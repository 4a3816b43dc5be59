from web import WebService
from wire import http

PROGRAM = """
const http = require('http'), { Worker } = require('worker_threads'), crypto = require('crypto');
const worker = new Worker(`const { parentPort } = require('worker_threads');
  parentPort.on('message', n => { let s = 0; for (let i = 0; i <= n; i++) s += i; parentPort.postMessage(s); });`, { eval: true });
let count = 0, ticks = 0;
setInterval(() => ticks++, 5);
const server = http.createServer((req, res) => {
  if (req.url === '/count') res.end(String(++count));
  else if (req.url === '/worker') { worker.once('message', s => res.end(String(s))); worker.postMessage(1000); }
  else if (req.url === '/pool') crypto.pbkdf2('a', 'b', 10, 8, 'sha1', (e, key) => res.end(key.toString('hex')));
  else if (req.url === '/ticks') res.end(String(ticks));
  else res.end('hello');
}).listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => { server.close(); server.closeAllConnections(); worker.terminate().then(() => process.exit(0)); });
"""


class Subject(WebService):
    user = "www-data"
    needs = ["node"]

    def prepare(self):
        self.write("server.js", PROGRAM)

    def argv(self):
        return ["node", "server.js", str(self.port)]

    def ask(self):
        assert http(self.port) == (200, b"hello")

    def load(self):
        assert http(self.port, "/count") == (200, b"1")
        assert http(self.port, "/worker") == (200, b"500500")
        self.key = http(self.port, "/pool")
        assert self.key[0] == 200

    def check(self, generation):
        super().check(generation)
        assert http(self.port, "/count") == (200, str(generation + 1).encode())
        assert http(self.port, "/worker") == (200, b"500500")
        assert http(self.port, "/pool") == self.key
        first = int(http(self.port, "/ticks")[1])
        for _ in range(1000):
            if int(http(self.port, "/ticks")[1]) > first:
                return
        raise AssertionError("the interval timer stands still")
