"""Tests of popd.server.settings."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from popd.server.settings import Pop3Settings


def test_the_defaults_keep_to_the_rfc_and_switch_history_off() -> None:
    settings = Pop3Settings()
    assert settings.idle_seconds >= 600
    assert (settings.last, settings.xtnd_xmit, settings.trusted_networks()) == (False, (), ())


def test_networks_and_ports_are_taken_apart() -> None:
    settings = Pop3Settings(rpop_networks=("192.0.2.0/24", "2001:db8::/32"), rpop_ports="1-1023")
    assert settings.trusted_networks() == (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
    assert settings.trusted_ports() == range(1, 1024)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("idle_seconds", 0),
        ("login_seconds", -1),
        ("rpop_networks", ("192.0.2.1/24",)),
        ("rpop_networks", ("client.example",)),
        ("rpop_ports", "512"),
        ("rpop_ports", "0-1023"),
        ("rpop_ports", "512-1024"),
        ("rpop_ports", "1023-512"),
        ("xtnd_xmit", ("/usr/sbin/sendmail", "")),
        ("xtnd_xmit_messages_per_hour", 0),
        ("busy", "fight"),
        ("login_delay_seconds", -1),
        ("expire_days", -2),
    ],
)
def test_a_value_out_of_range_is_named(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: expected "):
        Pop3Settings(**{key: value})
