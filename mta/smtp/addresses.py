"""Paths of MAIL and RCPT (RFC 5321 section 4.1.2; RFC 6531 section 3.3 for what is not ASCII)."""

from __future__ import annotations

import re
from typing import Final

from mta.smtp.errors import CommandError
from mta.smtp.replies import BAD_ADDRESS, NEEDS_UTF8

PATH_OCTETS_MAX: Final = 512  # RFC 5321 section 4.5.3.1.3 asks for 256; UTF-8 takes more for as many characters

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\U0010ffff]+"
_LOCAL: Final = rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*")'
_LABEL: Final = r"[A-Za-z0-9\x80-\U0010ffff](?:[A-Za-z0-9_\x80-\U0010ffff-]*[A-Za-z0-9\x80-\U0010ffff])?"
_DOMAIN: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[!-Z^-~]+\])"
_ROUTE: Final = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"  # RFC 5321 appendix C: to be accepted and ignored
_PATH: Final = re.compile(rf"<{_ROUTE}({_LOCAL})(?:@({_DOMAIN}))?>")
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


def parse_path(text: str, *, utf8: bool) -> str | None:
    """Parse a path in angle brackets into an address whose local part is not quoted; None for ``<>``.

    Args:
        text: the path, with surrogate escapes for what is not UTF-8.
        utf8: whether it may hold more than ASCII.

    Raises:
        CommandError: it is not a path.
    """
    if text == "<>":
        return None
    found = _PATH.fullmatch(text)
    if found is None or len(text.encode("utf-8", "surrogateescape")) > PATH_OCTETS_MAX:
        raise CommandError(BAD_ADDRESS)
    if not text.isascii() and not utf8:
        raise CommandError(NEEDS_UTF8)
    local, domain = found[1], found[2]
    if local.startswith('"'):
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    return local if domain is None else f"{local}@{domain}"
