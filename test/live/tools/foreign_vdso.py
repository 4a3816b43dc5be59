#!/usr/bin/python3
"""Action script of victims/vdso_foreign.c: after the dump, the images are as from a kernel with another vDSO. Its data
pages are laid out in another way, and the code of its functions would be the end of whoever ran it."""
import os
import struct

import pycriu.images as images

VDSO, VVAR, PAGE = 8, 4096, 4096


def load(path):
    with open(path, "rb") as f:
        return images.load(f)


def functions(elf):
    """Offsets and sizes of the functions in the dynamic symbol table."""
    phoff, = struct.unpack_from("<Q", elf, 32)
    phnum, = struct.unpack_from("<H", elf, 56)
    tags = {}
    for i in range(phnum):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, phoff + 56 * i)
        if kind == 2:
            tags = dict(struct.unpack_from("<QQ", elf, offset + 16 * k) for k in range(size // 16))
    for at in range(tags[6], tags[5] - 23, 24):
        _, info, _, section, value, size = struct.unpack_from("<IBBHQQ", elf, at)
        if info & 15 == 2 and section:
            yield value, size


def tamper(directory, pid):
    name = "%s/mm-%d.img" % (directory, pid)
    mm = load(name)
    vmas = mm["entries"][0]["vmas"]
    vdso = next(v for v in vmas if v["status"] & VDSO)
    data = [v for v in vmas if v["status"] & VVAR]
    vmas.remove(data[-1])
    ours = "%s/nsr-mm-%d" % (directory, pid)  # describes the mappings one by one
    if os.path.exists(ours):
        os.unlink(ours)
    with open(name, "wb") as f:
        images.dump(mm, f)
    pagemap = load("%s/pagemap-%d.img" % (directory, pid))["entries"]
    offset = 0
    for entry in pagemap[1:]:
        if not entry["flags"] & 4:
            continue
        if entry["vaddr"] <= vdso["start"] < entry["vaddr"] + entry["nr_pages"] * PAGE:
            offset += vdso["start"] - entry["vaddr"]
            break
        offset += entry["nr_pages"] * PAGE
    with open("%s/pages-%d.img" % (directory, pagemap[0]["pages_id"]), "r+b") as f:
        elf = bytearray(os.pread(f.fileno(), vdso["end"] - vdso["start"], offset))
        for value, size in functions(elf):
            elf[value:value + size] = b"\xcc" * size
        os.pwrite(f.fileno(), elf, offset)


if os.environ.get("CRTOOLS_SCRIPT_ACTION") == "post-dump":
    directory = os.environ["CRTOOLS_IMAGE_DIR"]
    for name in os.listdir(directory):
        if name.startswith("mm-"):
            tamper(directory, int(name[3:-4]))
