import subprocess

from web import WebService
from wire import http

PROGRAM = """
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

public class Web {
  public static void main(String[] args) throws Exception {
    AtomicInteger count = new AtomicInteger();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", exchange -> {
      String path = exchange.getRequestURI().getPath(), text = "hello";
      if (path.equals("/count")) text = String.valueOf(count.incrementAndGet());
      if (path.equals("/gc")) {
        byte[][] some = new byte[100][];
        for (int i = 0; i < 1000; i++) some[i % 100] = new byte[100000];
        System.gc();
        text = "collected";
      }
      byte[] data = text.getBytes();
      exchange.sendResponseHeaders(200, data.length);
      exchange.getResponseBody().write(data);
      exchange.close();
    });
    server.start();
  }
}
"""


class Subject(WebService):
    """Java 17 with default flags: hsperfdata in /tmp, GC and compiler threads, the HTTP server of the JDK."""
    user = "www-data"
    needs = ["java", "javac"]
    exit_codes = (143,)  # the virtual machine ends so on SIGTERM

    def prepare(self):
        self.write("Web.java", PROGRAM)
        subprocess.run(["javac", "-d", self.directory, self.path("Web.java")], check=True)

    def argv(self):
        return ["java", "-cp", self.directory, "Web", str(self.port)]

    def ask(self):
        assert http(self.port) == (200, b"hello")

    def load(self):
        assert http(self.port, "/count") == (200, b"1")

    def check(self, generation):
        super().check(generation)
        assert http(self.port, "/count") == (200, str(generation + 1).encode())
        assert http(self.port, "/gc") == (200, b"collected")
        for _ in range(50):
            self.ask()
