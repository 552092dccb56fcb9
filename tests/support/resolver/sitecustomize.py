"""Lets a program ask a test's DNS server (`dns_server.py`), as if the system were set up to: resolv.conf takes no port.

Only names that end in `.test` are asked there. Python imports this file at the start of every program that has its
folder in PYTHONPATH.
"""

import os
import socket
import struct

_SERVER = ("127.0.0.1", int(os.environ["TEST_DNS_PORT"]))
_system, _Socket, _datagram = socket.getaddrinfo, socket.socket, socket.SOCK_DGRAM


def _ask(name: str) -> list[str]:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0\0\1\0\1"
    with _Socket(socket.AF_INET, _datagram) as asking:
        asking.settimeout(5)
        asking.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0" + question, _SERVER)
        answer = asking.recv(512)
    count = struct.unpack(">H", answer[6:8])[0]
    records = answer[12 + len(question) :]
    return [socket.inet_ntoa(records[16 * at + 12 : 16 * at + 16]) for at in range(count)]


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    name = host.decode() if isinstance(host, bytes) else host
    if not str(name).endswith(".test"):
        return _system(host, port, family, type, proto, flags)
    addresses = _ask(name)
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


socket.getaddrinfo = getaddrinfo
