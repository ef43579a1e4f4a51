"""Plays a VMM: a tap device of this network namespace on one side, the network's Unix socket on the other.

    tap-bridge.py SOCKET NAME    prints "up" once both are there; ends with the socket
"""

import fcntl
import os
import socket
import struct
import sys
import threading

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
FRAME = 70_000

path, name = sys.argv[1:3]
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
link = socket.socket(socket.AF_UNIX)
link.connect(path)
print("up", flush=True)


def from_guest():
    while True:
        frame = os.read(tap, FRAME)
        link.sendall(struct.pack(">I", len(frame)) + frame)


threading.Thread(target=from_guest, daemon=True).start()
received = bytearray()
while data := link.recv(1 << 20):
    received += data
    at = 0
    while len(received) - at >= 4:
        length = int.from_bytes(received[at : at + 4], "big")
        if len(received) - at - 4 < length:
            break
        os.write(tap, received[at + 4 : at + 4 + length])
        at += 4 + length
    del received[:at]
os._exit(0)
