"""Which instruction files may control an address, and in which order they are looked for (qmail-local; dot-qmail(5)).

Names are made of the extension in lower case with each ``.`` as ``:``, so that no address reaches ``..`` or depends on
case. What stands before a ``default`` in the name ends in ``-``, whatever the site's break character is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# str.lower() would make an ASCII k of the Kelvin sign.


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be there. ``default`` is the part of the extension its ``default`` stands for, None without."""

    name: str
    default: str | None


def candidates(dash: str, extension: str) -> Iterator[Candidate]:
    """Yield the files for an address in the order in which the first that exists is taken.

    Args:
        dash: of the assign record: empty for the user's own address.
        extension: of the address, as it was written.
    """
    safe = safe_extension(extension)
    yield Candidate(f".qmail{dash}{safe}", extension if safe == "default" or safe.endswith("-default") else None)
    for end in range(len(safe), -1, -1):
        if end == 0 or safe[end - 1] == "-":
            yield Candidate(f".qmail{dash}{safe[:end]}default", extension[end:])


def safe_extension(extension: str) -> str:
    """Return an extension as it stands in a file's name."""
    return extension.translate(_LOWER).replace(".", ":")
