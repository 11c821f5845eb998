"""Tests of ``delivery.settings``."""

from __future__ import annotations

import pytest

from delivery.settings import DeliverySettings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dot_forward", ("{hash}/x",)),
        ("dot_forward", ("relative/{user}",)),
        ("sendmail", ("sendmail",)),
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


def test_a_template_without_fields_is_one() -> None:
    assert DeliverySettings(dot_forward=("/etc/forward/{domain}/{user}", "{home}/.forward")).dot_qmail
