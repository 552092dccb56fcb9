#!/usr/bin/env python3
"""Runs Chromium so that it takes no notice when the machine's networks change.

When a network comes or goes, Chromium breaks off every request that is under way (`net::ERR_NETWORK_CHANGED`), even on
the same machine. The tests of containers make networks while pages are loaded, and a page without one of its scripts
fails in many ways. So the kernel refuses the socket by which programs learn of networks (`AF_NETLINK`).
"""

import ctypes
import os
import platform
import shutil
import struct
import sys

_SOCKET_CALL = {"x86_64": 41, "aarch64": 198}
"""Number of the system call `socket`."""

_SET_SECCOMP, _FILTER, _SET_NO_NEW_PRIVILEGES = 22, 2, 38
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_CALL_PLACE, _FIRST_ARGUMENT_PLACE = 0, 16
_AF_NETLINK, _NOT_SUPPORTED = 16, 97
_REFUSED, _ALLOWED = 0x00050000 | _NOT_SUPPORTED, 0x7FFF0000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def find() -> str | None:
    """Returns the path of Chromium. The shell without windows comes first: it needs a third of the processor time."""
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def refuse_netlink_sockets(socket_call: int) -> None:
    """Lets this program, and what it becomes, open no socket of `AF_NETLINK` (a filter of seccomp(2))."""
    instructions = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (_LOAD_WORD, 0, 0, _CALL_PLACE),
            (_JUMP_IF_EQUAL, 0, 3, socket_call),
            (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT_PLACE),
            (_JUMP_IF_EQUAL, 0, 1, _AF_NETLINK),
            (_RETURN, 0, 0, _REFUSED),
            (_RETURN, 0, 0, _ALLOWED),
        )
    )
    kept = ctypes.create_string_buffer(instructions, len(instructions))
    program = _Program(len(instructions) // 8, ctypes.addressof(kept))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)):
        if prctl(*arguments):
            raise OSError(ctypes.get_errno(), "the filter for Chromium's system calls was refused")


if __name__ == "__main__":
    chromium = find()
    if chromium is None:
        sys.exit("there is no Chromium")
    if sys.platform == "linux" and platform.machine() in _SOCKET_CALL:
        refuse_netlink_sockets(_SOCKET_CALL[platform.machine()])
    os.execv(chromium, [chromium, *sys.argv[1:]])
