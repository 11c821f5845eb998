"""Settings of rehashing: the ``[rehash]`` table of ``mailspool.toml``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RehashSettings:
    """How long what was left at an old place stays there.

    Attributes:
        link_seconds: links from old places to new ones. Longer than any program works with a home it has looked up.
        grace_seconds: old homes, if the new one is on another file system; what is delivered there late is taken along.

    Raises:
        ValueError: a value is out of its range; the text begins with its key.
    """

    link_seconds: float = 60.0
    grace_seconds: float = 86400.0

    def __post_init__(self) -> None:
        for key in ("link_seconds", "grace_seconds"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key}: expected 0 or more, found {getattr(self, key)}")
