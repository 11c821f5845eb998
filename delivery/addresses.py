"""Envelope addresses as text, and how they are quoted in header fields.

An address is whatever somebody wrote around the last ``@`` in it; octets that are not UTF-8 are surrogate escapes.
Nothing here says whether it exists or may be mailed to.
"""

from __future__ import annotations

import re
from typing import Final

ADDRESS_OCTETS_MAX: Final = 900  # qmail's limit for one address of a list; RFC 5321 section 4.5.3.1 has 64 + 1 + 255

# qmail's quote.c asks for quotes where RFC 822's dot-atom does not hold; controls and octets above 127 never do.
_PLAIN: Final = re.compile(r"[!#-'*+\-/-9=?A-Z^-~]+(?:\.[!#-'*+\-/-9=?A-Z^-~]+)*")
_TO_ESCAPE: Final = re.compile(r'[\r\n"\\]')


def split_address(address: str) -> tuple[str, str | None]:
    """Split at the last ``@`` into local part and domain; None if there is no ``@``."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (address, None)


def quoted(address: str) -> str:
    """Write an address as a header field or SMTP has it (RFC 5321 section 4.1.2): its local part quoted if need be."""
    if not address:
        return ""
    local, domain = split_address(address)
    written = local if _PLAIN.fullmatch(local) else '"' + _TO_ESCAPE.sub(r"\\\g<0>", local) + '"'
    return written if domain is None else f"{written}@{domain}"
