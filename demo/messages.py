"""Sample messages of real variety, the same on every run.

Each message is octets with LF line ends unless it is about line ends. The kinds follow what breaks mail programs:
dots, From-lines, long lines, 8-bit text, ISO-2022-JP, MIME, no body, no final line end.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from typing import Final, TypeAlias

_BIRTH: Final = datetime(1998, 5, 20, 9, 0, tzinfo=UTC)
_WORDS: Final = (
    "mail spool queue letter bounce gate library seminar thesis lecture network printer garden lunch meeting room "
    "schedule bicycle temple station laboratory deadline paper review backup quota disk filter forward address"
).split()
_PEOPLE: Final = (
    ("Yasuhiro A.", "yasuhi-a@is.example.ac.jp"),
    ("K. Chinnen", "k-chinnen@bs.example.ac.jp"),
    ("Office of Student Affairs", "gakusei@office.example.ac.jp"),
    ("Postmaster", "postmaster@example.ac.jp"),
    ("Visiting Researcher", "guest@research.example.org"),
)

Kind: TypeAlias = Callable[[random.Random, int], bytes]


def sample_messages(count: int, *, seed: int) -> Iterator[bytes]:
    """Yield ``count`` messages; every kind comes early, then mostly plain text as in a real mailbox."""
    source = random.Random(seed)  # noqa: S311 - sample text, not a secret
    for serial in range(count):
        kind = _KINDS[serial] if serial < len(_KINDS) else source.choice((_plain, _plain, _plain, _mime, _japanese))
        yield kind(source, serial)


def _header(source: random.Random, serial: int, subject: str, *extra: str) -> str:
    name, address = source.choice(_PEOPLE)
    date = format_datetime(_BIRTH + timedelta(minutes=37 * serial))
    lines = (
        f"Received: from gate.example.ac.jp (gate.example.ac.jp [192.0.2.{serial % 250 + 1}])",
        f"\tby mail.example.ac.jp with ESMTP id {source.getrandbits(48):012x}; {date}",
        f"Date: {date}",
        f"From: {name} <{address}>",
        "To: everybody@example.ac.jp",
        f"Subject: {subject}",
        f"Message-ID: <{source.getrandbits(64):016x}.{serial}@mail.example.ac.jp>",
        *extra,
    )
    return "\n".join(lines) + "\n"


def _sentence(source: random.Random, words: int) -> str:
    return " ".join(source.choices(_WORDS, k=words)).capitalize() + "."


def _paragraphs(source: random.Random, lines: int) -> str:
    return "".join(_sentence(source, source.randint(4, 11)) + "\n" for _ in range(lines))


def _plain(source: random.Random, serial: int) -> bytes:
    body = _paragraphs(source, source.randint(5, 60))
    return (_header(source, serial, _sentence(source, 4)) + "\n" + body).encode()


def _dots(source: random.Random, serial: int) -> bytes:
    body = ".\n..\n...\n.hidden\n. \ntext\n.\n\n.\n"
    return (_header(source, serial, ". dots at the start of lines") + "\n" + body).encode()


def _from_lines(source: random.Random, serial: int) -> bytes:
    body = (
        "Somebody quoted a mailbox:\n\nFrom here on it is only text.\n\n"
        "From yasuhi-a@example.ac.jp Wed May 20 09:00:00 1998\nSubject: not a message\n\n"
        ">From a quoted line\n>>From a line quoted twice\n"
    )
    return (_header(source, serial, "From-lines in the body") + "\n" + body).encode()


def _long_lines(source: random.Random, serial: int) -> bytes:
    body = "x" * 998 + "\n" + _sentence(source, 1200) + "\n" + "." + "y" * 70_000 + "\n"
    return (_header(source, serial, "lines longer than any limit") + "\n" + body).encode()


def _latin1(source: random.Random, serial: int) -> bytes:
    head = _header(source, serial, "8-bit text", "MIME-Version: 1.0", "Content-Type: text/plain; charset=iso-8859-1")
    return head.encode() + b"Content-Transfer-Encoding: 8bit\n\n" + "Grüße aus Zürich, à bientôt.\n".encode("latin-1")


def _utf8(source: random.Random, serial: int) -> bytes:
    head = _header(
        source, serial, "UTF-8 as it is: 秋の夜", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"
    )
    return (head + "Content-Transfer-Encoding: 8bit\n\n秋の夜や旅の男の針仕事\n").encode()


def _japanese(source: random.Random, serial: int) -> bytes:
    subject = Header("全学教職員への連絡", "iso-2022-jp").encode()
    head = _header(source, serial, subject, "MIME-Version: 1.0", "Content-Type: text/plain; charset=iso-2022-jp")
    text = "メールサーバの停止について\n\n明日の午前九時からメールサーバを停止します。\n"
    return (head + "Content-Transfer-Encoding: 7bit\n\n").encode() + text.encode("iso-2022-jp")


def _mime(source: random.Random, serial: int) -> bytes:
    boundary = f"=_{source.getrandbits(64):016x}"
    head = _header(
        source,
        serial,
        "a report with an attachment",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
    )
    attachment = base64.encodebytes(source.randbytes(source.randint(2_000, 60_000))).decode()
    return (
        f"{head}\nThis is a message in MIME format.\n--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n"
        f"{_paragraphs(source, 4)}\n--{boundary}\nContent-Type: application/octet-stream\n"
        f"Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=report.bin\n\n"
        f"{attachment}\n--{boundary}--\n"
    ).encode()


def _large(source: random.Random, serial: int) -> bytes:
    head = _header(source, serial, "a large message", "MIME-Version: 1.0", "Content-Type: application/octet-stream")
    body = base64.encodebytes(source.randbytes(1_500_000)).decode()
    return (head + "Content-Transfer-Encoding: base64\n\n" + body).encode()


def _no_body(source: random.Random, serial: int) -> bytes:
    return (_header(source, serial, "header only, and a blank line") + "\n").encode()


def _no_final_line_end(source: random.Random, serial: int) -> bytes:
    return (_header(source, serial, "no line end at the end") + "\nthe last line stops here").encode()


def _crlf(source: random.Random, serial: int) -> bytes:
    return (_header(source, serial, "stored with CRLF") + "\nfirst\nsecond\n").replace("\n", "\r\n").encode()


def _many_header_lines(source: random.Random, serial: int) -> bytes:
    extra = tuple(f"X-Trace-{number}: {_sentence(source, 6)}" for number in range(200))
    return (_header(source, serial, "two hundred header fields", *extra) + "\nshort\n").encode()


def _percent_signs(source: random.Random, serial: int) -> bytes:
    return (_header(source, serial, "%s%n%x {0} {peer!r}") + "\n%s%s%s%n\n{0.__class__}\n").encode()


_KINDS: Final[Sequence[Kind]] = (
    _plain,
    _dots,
    _japanese,
    _mime,
    _from_lines,
    _long_lines,
    _latin1,
    _utf8,
    _no_body,
    _no_final_line_end,
    _crlf,
    _many_header_lines,
    _percent_signs,
    _large,
)
