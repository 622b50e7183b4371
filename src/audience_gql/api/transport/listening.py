"""Takes the ports of a process. A port that is taken ends the process with a message of one line."""

from __future__ import annotations

import socket
import sys


def bound(host: str, port: int, named: str) -> socket.socket:
    """A socket at this address, which does not listen yet. `named` is what the message calls the address, without the port."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        sys.exit(f"audience-gql: cannot listen on {named} {port}: {error.strerror}")
    return found


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens at this address. `setting` is the name of the setting with the port."""
    found = bound(host, port, setting)
    found.listen()
    return found
