from __future__ import annotations

from typing import Any

import pytest

from accounts.mechanisms import _OPENERS
from accounts.schemes.verifiers import _MAKERS
from accounts.settings import MECHANISMS, WRITABLE_SCHEMES, AuthSettings


def test_the_defaults_are_valid() -> None:
    settings = AuthSettings()
    assert settings.cleartext == "loopback"
    assert settings.schemes == ("ARGON2ID",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cleartext", "sometimes"),
        ("mechanisms", ("PLAIN", "CRAM-MD5")),
        ("schemes", ("DES-CRYPT",)),
        ("schemes", ()),
        ("failure_delay_seconds", -1),
        ("failure_delay_seconds", float("nan")),
        ("cache_seconds", 1e9),
        ("checkpassword", ("vchkpw",)),
        ("checkpassword_apop", True),
        ("pam_service", "../login"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: expected"):
        AuthSettings(**{key: value})


def test_external_checkers_can_be_named() -> None:
    settings = AuthSettings(checkpassword=("/bin/checkpassword",), checkpassword_apop=True, pam_service="mail-spool_1")
    assert settings.pam_service == "mail-spool_1"


def test_every_scheme_that_may_be_listed_can_be_written() -> None:
    assert set(WRITABLE_SCHEMES) == set(_MAKERS)


def test_every_mechanism_that_may_be_listed_can_be_opened() -> None:
    assert set(MECHANISMS) == set(_OPENERS)
