"""Tests of ``delivery.settings``."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.settings import DeliverySettings, host_and_port


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dot_forward", ("{hash}/x",)),
        ("dot_forward", ("relative/{user}",)),
        ("default_delivery", "# all mail is thrown away\n"),
        ("sendmail", ("sendmail",)),
        ("smarthost", "mail.example"),
        ("smarthost", "mail.example:0"),
        ("smarthost", "mail.example:65536"),
        ("smarthost", "::1:25"),
        ("smarthost", "mail..example:25"),
        ("smarthost_seconds", 0.0),
        ("program_seconds", 0.0),
        ("program_memory_octets", -1),
        ("program_processes", 0),
        ("program_files", 0),
        ("program_slots", 0),
        ("programs_per_user", 0),
        ("program_slow_seconds", 0.0),
        ("program_penalty_first_seconds", 0.0),
        ("program_penalty_seconds_max", 29.0),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key}: expected"):
        DeliverySettings(**{key: value})  # type: ignore[arg-type]


def test_a_wrong_line_of_the_default_delivery_is_named() -> None:
    with pytest.raises(ValueError, match="default_delivery: line 2: not an address"):
        DeliverySettings(default_delivery="./Mailbox\n&\n")


def test_a_template_without_fields_is_one() -> None:
    assert DeliverySettings(dot_forward=("/etc/forward/{domain}/{user}", "{home}/.forward")).dot_qmail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail.example.org:587", ("mail.example.org", 587)),
        ("127.0.0.1:25", ("127.0.0.1", 25)),
        ("[::1]:25", ("::1", 25)),
    ],
)
def test_a_smarthost_is_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(DeliverySettings(smarthost=text).smarthost) == expected


def test_mail_is_forwarded_by_a_sendmail_or_a_smarthost_and_not_by_both() -> None:
    with pytest.raises(ValueError, match=r"^smarthost: expected none beside sendmail"):
        DeliverySettings(smarthost="a:25", sendmail=("/usr/sbin/sendmail",))


def test_credentials_are_sent_over_tls_only() -> None:
    with pytest.raises(ValueError, match=r"^smarthost_credentials: expected none where"):
        DeliverySettings(smarthost="a:25", smarthost_tls="none", smarthost_credentials=Path("secret"))
