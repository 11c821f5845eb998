"""A tiny inetd: ``python inetd.py PORT PROGRAM [ARGUMENT…]`` runs a program for each connection to 127.0.0.1:PORT."""

from __future__ import annotations

import os
import signal
import socket
import sys


def main() -> None:
    """Listen, and serve until killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.dup2(connection.fileno(), 0)
                os.dup2(connection.fileno(), 1)
                os.execv(sys.argv[2], sys.argv[2:])
            connection.close()


if __name__ == "__main__":
    main()
