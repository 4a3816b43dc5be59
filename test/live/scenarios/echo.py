"""Sends back what comes, to everybody:  echo.py PORT"""
import selectors
import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            peer, _ = listener.accept()
            selector.register(peer, selectors.EVENT_READ)
        elif data := key.fileobj.recv(1 << 16):
            key.fileobj.sendall(data)
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
