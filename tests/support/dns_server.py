"""A small DNS server, whose answers a test changes while programs ask it."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class DnsServer:
    """Serves A records over UDP from `addresses`, and counts the questions by name. Other names do not exist."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.addresses: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()

    def serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(512)
            if not question:
                return
            self._socket.sendto(self._answer(question), asker)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode())
            at += length + 1
        name = ".".join(labels)
        self.asked[name] += 1
        records = [
            b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) for address in self.addresses.get(name, [])
        ]
        flags = b"\x81\x80" if records else b"\x81\x83"
        counts = struct.pack(">HHHH", 1, len(records), 0, 0)
        return question[:2] + flags + counts + question[12 : at + 5] + b"".join(records)


@contextmanager
def dns_server() -> Iterator[DnsServer]:
    """Runs a server until the end of the block."""
    server = DnsServer()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.close()
    thread.join()
    server._socket.close()
