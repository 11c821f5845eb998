from __future__ import annotations

import pytest

from popd.pop3.languages import choose_language, list_languages


def test_the_list_names_each_language() -> None:
    assert list_languages().octets == b"+OK languages follow\r\nen English\r\ni-default Default language\r\n.\r\n"


@pytest.mark.parametrize(
    ("language_range", "tag"),
    [("en", b"en"), ("en-gb-oxendict", b"en"), ("*", b"en"), ("i-default", b"i-default")],
)
def test_a_range_finds_its_language(language_range: str, tag: bytes) -> None:
    assert choose_language(language_range).octets.split()[:2] == [b"+OK", tag]


@pytest.mark.parametrize("language_range", ["ja", "i", "english", "fr-ca"])
def test_other_languages_are_refused(language_range: str) -> None:
    assert choose_language(language_range).octets.startswith(b"-ERR ")
