#!/usr/bin/python3
"""One end of a transfer:  stream.py send|recv ADDRESS PORT BYTES RESULT

The sender makes up the stream as it goes; both ends hash it, and the receiver sends its digest back. RESULT gets
"BYTES DIGEST" when all is done; the sender only writes it when the digests are equal."""
import hashlib
import os
import socket
import sys
import time

role, address, port, total, result = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
digest, count = hashlib.sha256(), 0
if role == "send":
    peer = socket.create_connection((address, port))
    block = os.urandom(1 << 16)
    while count < total:
        peer.sendall(block)
        digest.update(block)
        count += len(block)
        block = block[1:] + block[:1]
        time.sleep(0.0005)   # so that it lasts as long as the rounds do
    peer.shutdown(socket.SHUT_WR)
    answer = peer.recv(32, socket.MSG_WAITALL)
    if answer != digest.digest():
        sys.exit(1)
else:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(1)
    peer, _ = listener.accept()
    listener.close()
    while data := peer.recv(1 << 16):
        digest.update(data)
        count += len(data)
    peer.sendall(digest.digest())
with open(result + ".new", "w") as f:
    f.write(f"{count} {digest.hexdigest()}")
os.rename(result + ".new", result)
