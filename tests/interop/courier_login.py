"""Stands before Courier's POP3 server in the place of its authentication daemon, which works from fixed paths only.

``python courier_login.py UID GID PASSWORD HOMES PROGRAM`` lets in whoever has a directory in HOMES and the password,
and becomes PROGRAM, in their home.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Take USER and PASS, and go on as Courier."""
    uid, gid, password, homes, program = sys.argv[1:]
    _say("+OK ready")
    user = _argument("USER")
    _say("+OK")
    given = _argument("PASS")
    home = Path(homes) / user
    if given != password or not home.is_dir():
        _say("-ERR no")
        return
    os.chdir(home)
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.execve(program, [program, "Maildir"], {**os.environ, "AUTHENTICATED": user})


def _argument(keyword: str) -> str:
    # Octet by octet: what follows the line is Courier's to read.
    line = b""
    while not line.endswith(b"\n"):
        octet = os.read(0, 1)
        if not octet:
            sys.exit()
        line += octet
    word, _, argument = line.decode().strip().partition(" ")
    if word.upper() != keyword:
        _say("-ERR not now")
        return _argument(keyword)
    return argument


def _say(line: str) -> None:
    os.write(1, f"{line}\r\n".encode())


if __name__ == "__main__":
    main()
