#!/usr/bin/python3
"""recode.py can fail: images that decode but are not written as the format wants, and damaged ones, are each named.

usage: recode_test.py
"""
import os
import subprocess
import sys
import tempfile

import wire
from schema import Schema

HERE = os.path.dirname(os.path.abspath(__file__))
PSTREE, PIPES_DATA, SEM = 0x50273030, 0x56453709, 0x59573019


def cases(schema):
    task = schema.pstree_entry(pid=1, ppid=0, pgid=1, sid=1, threads=[1, 2]).SerializeToString()
    good = wire.header(PSTREE) + wire.record(task)
    pipe = schema.pipe_data_entry(pipe_id=1, bytes=3).SerializeToString()
    desc = dict(key=1, uid=0, gid=0, cuid=0, cgid=0, mode=0, id=1)
    sem = schema.ipc_sem_entry(desc=desc, nsems=3).SerializeToString()
    yield True, "good", good
    yield True, "payload", wire.header(PIPES_DATA) + wire.record(pipe) + b"abc"
    yield False, "stray byte", good + b"\0"
    yield False, "cut short", good[:-1]
    yield False, "wrong magic", wire.header(PSTREE)[:4] + b"\1\2\3\4" + good[8:]
    yield False, "packed list", wire.header(PSTREE) + wire.record(task[:8] + b"\x2a\x02\x01\x02")
    yield False, "field order", wire.header(PSTREE) + wire.record(task[2:4] + task[:2] + task[4:])
    yield False, "long varint", wire.header(PSTREE) + wire.record(b"\x08\x81\x00" + task[2:])
    yield False, "unknown field", wire.header(PSTREE) + wire.record(task + b"\xf8\x07\x01")
    yield False, "missing field", wire.header(PSTREE) + wire.record(task[2:])
    yield False, "short payload", wire.header(PIPES_DATA) + wire.record(pipe) + b"ab"
    yield False, "dirty padding", wire.header(SEM) + wire.record(sem) + bytes(6) + b"\0\1"


def main():
    failed = 0
    for good, what, data in cases(Schema()):
        with tempfile.TemporaryDirectory() as tmp:
            with open(os.path.join(tmp, "x.img"), "wb") as f:
                f.write(data)
            run = subprocess.run([sys.executable, "-B", os.path.join(HERE, "recode.py"), tmp], capture_output=True, text=True)
        if (run.returncode == 0) != good or run.stderr:
            failed = 1
            print(f"{what}: status {run.returncode}\n{run.stdout}{run.stderr}")
    return failed


sys.exit(main())
