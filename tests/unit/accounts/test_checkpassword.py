from __future__ import annotations

import pytest

from accounts.checkpassword import MAX_INPUT_OCTETS, UnfitInputError, checkpassword_check, input_octets
from accounts.checks import ExternalCheck


def test_a_password_has_an_empty_third_field() -> None:
    check = checkpassword_check(("/bin/checkpassword", "-v"), b"yasuhi", b"pass word")
    assert check == ExternalCheck(("/bin/checkpassword", "-v", "true"), b"yasuhi\0pass word\0\0")


def test_a_digest_goes_with_its_timestamp() -> None:
    check = checkpassword_check(("/bin/checkpassword",), b"yasuhi", b"c4c9", b"<1.2@host>")
    assert check.octets == b"yasuhi\0c4c9\0<1.2@host>\0"


def test_the_password_does_not_show() -> None:
    assert "tanstaaf" not in repr(checkpassword_check(("/bin/checkpassword",), b"yasuhi", b"tanstaaf"))


@pytest.mark.parametrize("password", [b"a\0b", b"x" * MAX_INPUT_OCTETS])
def test_what_does_not_fit_is_refused(password: bytes) -> None:
    with pytest.raises(UnfitInputError):
        checkpassword_check(("/bin/checkpassword",), b"yasuhi", password)


def test_the_input_may_have_512_octets() -> None:
    assert len(input_octets(b"x" * 510, b"")) == MAX_INPUT_OCTETS
