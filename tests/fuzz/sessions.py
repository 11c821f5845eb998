"""Random sessions that look like POP3: right for the most part, so that they pass the login, and wrong somewhere."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from typing import Final

_LOGINS: Final[Sequence[Sequence[bytes]]] = (
    [b"USER mrose", b"PASS secret"],
    [b"user mrose", b"CAPA", b"pass secret"],
    [b"APOP mrose c4c9334bac560ecc979e58001b3e22fb"],
    [b"USER mrose", b"RPOP marshall"],
    [b"AUTH PLAIN " + base64.b64encode(b"\0mrose\0secret")],
    [b"AUTH PLAIN", base64.b64encode(b"\0mrose\0secret")],
    [b"STLS", b"USER mrose", b"PASS secret"],
    [b"USER mrose", b"PASS wrong"],
    [b"AUTH LOGIN", b"*"],
    [],
)
_KEYWORDS: Final = (
    b"USER", b"PASS", b"APOP", b"RPOP", b"AUTH", b"STLS", b"UTF8", b"LANG", b"CAPA", b"QUIT", b"STAT", b"LIST", b"UIDL",
    b"RETR", b"TOP", b"DELE", b"NOOP", b"RSET", b"LAST", b"XTND", b"EUIDL", b"MDEF",
)  # fmt: skip
_NASTY: Final = (
    b"", b"0", b"-1", b"+1", b"01", b"1_0", b"4294967296", b"9" * 11, b"9" * 230, b"%s%n%x", b"{0}", b"*", b"=", b".",
    b"..", b"../../etc/passwd", b"mrose\0", b"\0", b"\r", b"\n", b"\t", b"\x7f", b"\xff\xfe", b"\xc3\xa9", b"[AUTH]",
    b"en-GB", b"PLAIN", b"XMIT", b"XLST", b"Subject", b"A" * 255, b"A" * 3_000, b"A" * 70_000, b"YQ==", b"YQ=", b"USER",
)  # fmt: skip


def session(source: random.Random) -> bytes:
    """A random session, as the octets its client sends."""
    lines: list[bytes] = [*source.choice(_LOGINS)]
    for _ in range(source.randrange(1, 12)):
        lines += source.choice(_PARTS)(source)
    if source.random() < 0.5:
        lines.append(b"QUIT")
    octets = b"".join(line + b"\r\n" for line in lines)
    return mutated(octets, source) if source.random() < 0.5 else octets


def mutated(octets: bytes, source: random.Random) -> bytes:
    """The same octets with a few of them removed, doubled, exchanged or replaced."""
    out = bytearray(octets)
    for _ in range(source.randrange(1, 4)):
        start = source.randrange(len(out) + 1)
        end = min(len(out), start + source.choice((1, 1, 2, 10, 100)))
        match source.randrange(4):
            case 0:
                del out[start:end]
            case 1:
                out[start:start] = out[start:end]
            case 2:
                out[start:start] = source.choice(_NASTY)
            case _:
                out[start:end] = source.randbytes(end - start)
    return bytes(out)


def _about_a_message(source: random.Random) -> Sequence[bytes]:
    keyword = source.choice((b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP", b"XTND XLST Subject"))
    number = b"%d" % source.randrange(10)
    return [b"TOP %b %d" % (number, source.randrange(200)) if keyword == b"TOP" else keyword + b" " + number]


def _about_the_maildrop(source: random.Random) -> Sequence[bytes]:
    return [
        source.choice((b"STAT", b"LIST", b"UIDL", b"NOOP", b"RSET", b"LAST", b"CAPA", b"LANG", b"XTND XLST Message-Id"))
    ]


def _message_for_sending(source: random.Random) -> Sequence[bytes]:
    body = [
        source.choice((b"", b"..", b"QUIT", b".x", b"x" * 1_000, b"x" * 70_000)) for _ in range(source.randrange(4))
    ]
    return [b"XTND XMIT", b"To: you@example.org", b"", *body, *([b"."] if source.random() < 0.9 else [])]


def _dialogue(source: random.Random) -> Sequence[bytes]:
    answer = source.choice((b"*", b"", b"=", b"YQ==", b"Y", b"A" * 4_000, b"A" * 20_000, b"\0"))
    return [b"AUTH " + source.choice((b"PLAIN", b"LOGIN", b"SCRAM-SHA-256", b"X")), answer]


def _nonsense(source: random.Random) -> Sequence[bytes]:
    words = [source.choice(_NASTY) for _ in range(source.randrange(4))]
    return [source.choice((b" ", b"  ", b"\t")).join((source.choice((*_KEYWORDS, *_NASTY)), *words))]


_PARTS: Final[Sequence[Callable[[random.Random], Sequence[bytes]]]] = (
    _about_a_message,
    _about_a_message,
    _about_the_maildrop,
    _message_for_sending,
    _dialogue,
    _nonsense,
)
