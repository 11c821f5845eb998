"""LANG (RFC 6856 section 3): the languages of reply texts. There is one, under its two names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from popd.pop3.replies import multi_line, negative, positive
from popd.pop3.steps import Send

PREFERRED: Final = "en"

# A session begins in "i-default", which asks for text that readers of English understand (RFC 2277 section 4.5).
_LANGUAGES: Final[Mapping[str, str]] = {PREFERRED: "English", "i-default": "Default language"}


def list_languages() -> Send:
    """The reply to LANG without an argument."""
    return multi_line("languages follow", [f"{tag} {name}" for tag, name in _LANGUAGES.items()])


def choose_language(language_range: str) -> Send:
    """The reply to LANG with a lower-case language range: the tag found by look-up (RFC 4647 section 3.4)."""
    tag = PREFERRED if language_range == "*" else language_range
    while tag not in _LANGUAGES:
        tag, _, _ = tag.rpartition("-")
        if not tag:
            return negative("no such language here")
    return positive(f"{tag} texts are in English")
