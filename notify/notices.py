"""The notices that appear on terminals, safe for them: no character in them moves a cursor or starts a sequence.

A terminal acts on control characters and on what follows ESC or the C1 controls; bidirectional overrides show text as
what it is not. Whatever Python does not call printable is replaced (its tables are Unicode's: controls, formats,
surrogates, private and unassigned characters, separators but the space).
"""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from notify.heads import MessageHead

COLUMNS_MAX: Final = 78  # as qbiff(1) cuts its second line
_BEGIN: Final = "\r\n\a"
_END: Final = "\r\n"


def two_lines(local: str, sender: str, head: MessageHead) -> str:
    """Make qbiff's notice (qbiff(1)): to whom and from whom, then the subject and how the text begins.

    Args:
        local: the local part of the recipient's address.
        sender: the envelope sender; empty for the null sender.
        head: the start of the message.
    """
    what = "/".join(filter(None, (head.subject, head.text)))
    return f"{_BEGIN}{_whom(local, sender)}{_END}    {cut(printable(what), COLUMNS_MAX)}{_END}"


def short(local: str, sender: str, head: MessageHead) -> str:
    """Make a notice of one line."""
    what = f"{_whom(local, sender)} {printable(head.subject or head.text)}".rstrip()
    return f"{_BEGIN}{cut(what, COLUMNS_MAX)}{_END}"


def printable(text: str) -> str:
    """Replace by ``_`` what is not printable."""
    return "".join(character if character.isprintable() else "_" for character in text)


def cut(text: str, columns: int) -> str:
    """Cut a text to so many columns, and to as many characters: marks that take no column could pile up."""
    text = text[:columns]
    while cell_len(text) > columns:
        text = text[:-1]
    return text


def _whom(local: str, sender: str) -> str:
    return f"*** TO <{printable(local)}> FROM <{printable(sender)}>"
