import os
import subprocess

from progress import Progress

FILES = 24


class Subject(Progress):
    """make -j2 with gcc in mid-build: job server, short-lived processes, temporary files."""
    needs = ["make", "gcc"]
    user = "nobody"

    def prepare(self):
        for i in range(FILES):
            body = "".join(f"int f{i}_{j}(int x) {{ int s = 0; for (int k = 0; k < x; k++) s += k * {j + 1} ^ (s >> 3); return s; }}\n" for j in range(100))
            self.write(f"part{i}.c", body)
        self.write("main.c", "".join(f"int f{i}_7(int);\n" for i in range(FILES)) +
                   "#include <stdio.h>\nint main(void) { int s = 0;\n" + "".join(f"s += f{i}_7({i});\n" for i in range(FILES)) +
                   'printf("%d\\n", s); return 0; }\n')
        objects = " ".join(f"part{i}.o" for i in range(FILES))
        self.write("Makefile", f"CFLAGS = -O2\nprogram: main.o {objects}\n\tgcc -o $@ $^\n")
        self.environment = {"TMPDIR": self.directory}

    def argv(self):
        return ["make", "-j2"]

    def amount(self):
        return sum(name.endswith(".o") for name in os.listdir(self.directory))

    def check(self, generation):
        pass

    def check_result(self):
        seen = subprocess.run([self.path("program")], check=True, stdout=subprocess.PIPE)
        assert int(seen.stdout) > 0
