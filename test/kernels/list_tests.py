"""ctest's list (--show-only=json-v1) on stdin -> lines "NAME TIMEOUT COMMAND…" for the guest; without those of the file argument."""
import json
import re
import shlex
import sys

RUNS_IN_A_GUEST = re.compile(r"/live/(run|scenarios/(cgroups|freezer|confined|process_limits))\.py$")  # no service, no network

with open(sys.argv[1]) as f:
    gaps = {line.split()[0] for line in f if line.strip() and not line.startswith("#")}
for test in json.load(sys.stdin)["tests"]:
    command = test.get("command")
    if not command or test["name"] in gaps or not any(map(RUNS_IN_A_GUEST.search, command)):
        continue
    limit = next((p["value"] for p in test["properties"] if p["name"] == "TIMEOUT"), 60)
    print(test["name"], int(limit), shlex.join(command))
