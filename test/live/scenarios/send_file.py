"""Sends a file to the first who asks:  send_file.py ADDRESS PORT FILE"""
import socket
import sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
peer, _ = listener.accept()
with open(sys.argv[3], "rb") as f:
    while block := f.read(1 << 18):
        peer.sendall(block)
peer.shutdown(socket.SHUT_WR)
while peer.recv(1 << 16):   # until the other end closes, too
    pass
