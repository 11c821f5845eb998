from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.tickets import LIFETIME_SECONDS, MAX_TICKET_OCTETS, Ticket, TicketError, open_ticket, seal
from spool.names import UserName

KEY = bytes(range(32))
TICKET = Ticket(UserName("yasuhi"), 1001, 100, Path("/var/spool/mail/u/yasuhi"), 30.0, b"n" * 16)


def test_a_ticket_comes_out_as_it_was_sealed() -> None:
    assert open_ticket(KEY, seal(KEY, TICKET), 0.0) == TICKET


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(TicketError, match="sealed"):
        open_ticket(bytes(32), seal(KEY, TICKET), 0.0)


@given(st.data())
def test_no_octet_can_be_changed(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, TICKET))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TicketError, match="sealed"):
        open_ticket(KEY, bytes(sealed), 0.0)


@given(st.binary(max_size=100))
def test_other_octets_are_no_ticket(octets: bytes) -> None:
    with pytest.raises(TicketError):
        open_ticket(KEY, octets, 0.0)


@pytest.mark.parametrize("now", [30.1, 1e9, 30.0 - LIFETIME_SECONDS - 1])
def test_a_ticket_has_its_time(now: float) -> None:
    with pytest.raises(TicketError, match="expired"):
        open_ticket(KEY, seal(KEY, TICKET), now)


def test_a_ticket_is_bounded() -> None:
    with pytest.raises(TicketError, match="long"):
        open_ticket(KEY, bytes(MAX_TICKET_OCTETS + 1), 0.0)


def test_a_short_key_is_a_bug() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        seal(b"short", TICKET)


def test_a_ticket_does_not_show_its_nonce() -> None:
    assert "nnnn" not in repr(TICKET)
