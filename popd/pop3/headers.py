"""Finding one header field in the head of a message (XTND XLST). Nothing is decoded and no MIME is parsed."""

from __future__ import annotations

import re
from typing import Final

_FOLD: Final = re.compile(rb"[\r\n]+[ \t]*")
_NOT_SHOWN: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def field_value(head: bytes, name: bytes) -> bytes:
    """The first field called ``name``: unfolded, without control characters, empty if there is none.

    Args:
        head: the beginning of a message in wire form, with or without its body.
        name: the field's name, without colon; its case does not matter.
    """
    header = (b"\r\n" + head).partition(b"\r\n\r\n")[0]
    field = re.search(rb"(?i)\r\n%b[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)" % re.escape(name), header)
    if field is None:
        return b""
    return _NOT_SHOWN.sub(b"?", _FOLD.sub(b" ", field[1])).strip()
