"""Tests of ``spool.names``."""

from __future__ import annotations

import pytest

from spool.errors import MalformedNameError
from spool.names import DomainName, LoginName, UserName


@pytest.mark.parametrize("text", ["a", "yasuhi-a", "k-chinnen", "_x", "0", "a.b+c=d_e", "a" * 64, "lock", "a.locks"])
def test_a_user_name_is_taken_as_it_is(text: str) -> None:
    assert str(UserName(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        ".a",
        "-x",
        "+a",
        "=a",
        "a/b",
        "a:b",
        "a b",
        "a\n",
        "\na",
        "a\0",
        "a%s",
        "A",
        "é",
        "a" * 65,
        "a\t",
        "a.lock",
    ],
)
def test_what_could_leave_its_path_segment_or_assign_field_is_no_user_name(text: str) -> None:
    with pytest.raises(MalformedNameError):
        UserName(text)


def test_a_refused_name_is_shown_cut() -> None:
    with pytest.raises(MalformedNameError) as caught:
        UserName("%" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["a", "example.org", "a-b.c", "xn--bcher-kva.example", ".".join(["a" * 63] * 3)])
def test_a_domain_name_is_taken_as_it_is(text: str) -> None:
    assert str(DomainName(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "A", "a" * 64, ".".join(["a" * 63] * 4), "a\n", "[127.0.0.1]"],
)
def test_what_is_no_host_name_is_no_domain_name(text: str) -> None:
    with pytest.raises(MalformedNameError):
        DomainName(text)


def test_a_login_name_is_lower_cased() -> None:
    assert LoginName.parse("JOE") == LoginName(UserName("joe"), None)


def test_a_login_name_may_carry_a_domain() -> None:
    assert LoginName.parse("Joe@Example.ORG") == LoginName(UserName("joe"), DomainName("example.org"))


@pytest.mark.parametrize(
    "text", ["", "@", "joe@", "@example.org", "a@b@c", "\u212aelvin", "joe@\u212a.org", "\u017fam"]
)
def test_a_login_name_of_no_form_is_refused_before_it_is_lower_cased(text: str) -> None:
    with pytest.raises(MalformedNameError):
        LoginName.parse(text)
