#!/usr/bin/python3
"""Decodes every image of a directory as crit does, encodes it again, and demands the same bytes; plain and pretty.

usage: recode.py DIR...

Debian's crit is 3.17. Where an image holds fields that its schema does not know, or crit has no handler for its type or a
bug in it, the messages are decoded by our own schema through the same JSON conversion; the output says which way was taken.
Exit status 1 when an image does not come back, or a directory holds none.
"""
import io
import json
import os
import sys

import pycriu
from pycriu.images import images, pb, pb2dict

import wire
from schema import Schema

# 3.17: TypeError when bpfmap-data is encoded; ipcns-shm is read as if content followed although in_pagemaps says it does not
CRIT_BUGS = {"bpfmap-data-1", "bpfmap-data", "ipcns-shm-1"}


def by_crit(data, pretty):
    image = json.loads(json.dumps(pycriu.images.load(io.BytesIO(data), pretty)))
    out = io.BytesIO()
    pycriu.images.dump(image, out)
    return out.getvalue()


def by_schema(data, pretty, schema):
    magic, at = wire.split_header(data)
    out = wire.header(magic)
    for message, _, payload in wire.records(data, magic, at, schema):
        entry = json.loads(json.dumps(pb2dict.pb2dict(message, pretty)))
        again = type(message)()
        pb2dict.dict2pb(entry, again)
        out += wire.record(again.SerializeToString()) + payload
    return out


def why_not_crit(data):
    """The reason why crit cannot be expected to recode this image; None when it can."""
    magic, at = wire.split_header(data)
    name = wire.TYPES[magic][0]
    if name in CRIT_BUGS:
        return "bug in crit 3.17"
    known = images.magic.by_val.get(magic)
    if known not in images.handlers:
        return "type unknown to crit"
    try:
        for message, body, _ in wire.records(data, magic, at, pb):
            message.DiscardUnknownFields()
            if message.ByteSize() != len(body):
                return "newer fields"
    except AttributeError as e:
        return f"message unknown to crit: {e}"
    return None


def check(path, schema):
    """What is wrong with an image (None: nothing), and the way that was taken."""
    with open(path, "rb") as f:
        data = f.read()
    magic, _ = wire.split_header(data)
    if magic is None:
        return "no known header", ""
    reason = why_not_crit(data)
    for pretty in (False, True):
        kind = "pretty" if pretty else "plain"
        for way in ("schema",) if reason else ("schema", "crit"):
            again = by_schema(data, pretty, schema) if way == "schema" else by_crit(data, pretty)
            if again != data:
                at = next((i for i, (a, b) in enumerate(zip(again, data)) if a != b), min(len(again), len(data)))
                return f"{kind} recoding by {way} differs at byte {at} ({len(data)} bytes in, {len(again)} out)", reason
    return None, reason


def image_files(directory):
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not name.startswith(wire.RAW):
            if name.endswith(".img") or name.startswith(("stats-", "nsr-task-")):
                yield name, path


def main():
    schema = Schema()
    failed = 0
    for directory in sys.argv[1:]:
        ways, seen = {}, 0
        for name, path in image_files(directory):
            seen += 1
            try:
                wrong, reason = check(path, schema)
            except Exception as e:  # whatever pycriu makes of it: the image is not decoded
                wrong, reason = f"{type(e).__name__}: {e}", ""
            if wrong:
                failed += 1
                print(f"{path}: {wrong}")
            else:
                ways.setdefault(reason or "crit", []).append(name)
        if not seen:
            failed += 1
            print(f"{directory}: no images")
        for reason, names in sorted(ways.items()):
            print(f"{directory}: {len(names)} same by {'crit' if reason == 'crit' else f'our schema ({reason})'}: {' '.join(names)}")
    return 1 if failed or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
