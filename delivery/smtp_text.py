"""What a message and its addresses look like to an SMTP server (RFC 5321)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from delivery.addresses import quoted, split_address
from delivery.errors import ForwardingRefusedError
from spool.errors import EnhancedStatus

_MALFORMED: Final = EnhancedStatus(5, 1, 3)
_NOT_UTF8: Final = EnhancedStatus(5, 6, 7)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Letters of any script, and what address literals have. Nothing in it ends a path or begins a parameter.
_DOMAIN: Final = re.compile(r"[\w.:\[\]-]+")


def path_of(address: str | None) -> bytes:
    """Write an address as MAIL and RCPT have it, in angle brackets; None is the null sender.

    Raises:
        ForwardingRefusedError: no command can hold it: a control character, octets that are not UTF-8, a domain that
            is none. Whoever wrote it could otherwise write commands.
    """
    if address is None:
        return b"<>"
    _, domain = split_address(address)
    try:
        octets = quoted(address).encode()
    except UnicodeEncodeError as error:
        raise ForwardingRefusedError("an address is not UTF-8", _NOT_UTF8) from error
    if _CONTROL.search(address) or not address or (domain is not None and not _DOMAIN.fullmatch(domain)):
        raise ForwardingRefusedError("an address is malformed", _MALFORMED)
    return b"<" + octets + b">"


def data_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message stored with LF line ends as DATA has it, the line with the dot at its end included.

    Line ends become CRLF, and a dot at a line's beginning is doubled (section 4.5.2). A CR before an LF is part of the
    line end. Any other may not be sent (section 2.3.8); it becomes a space, so that no server on the way takes it for
    the end of a line or a message.
    """
    at_beginning = True
    held = b""
    for piece in pieces:
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""  # the next piece says what it is
        text = text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b" ")
        if not text:
            continue
        stuffed = text.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
        yield b"." + stuffed if at_beginning and text.startswith(b".") else stuffed
        at_beginning = text.endswith(b"\n")
    if held:
        yield b" \r\n.\r\n"
    else:
        yield b".\r\n" if at_beginning else b"\r\n.\r\n"
