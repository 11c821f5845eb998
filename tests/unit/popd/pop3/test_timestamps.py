from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popd.pop3.timestamps import MIN_RANDOM_OCTETS, make_timestamp

# RFC 5322 sections 3.2.3 and 3.6.4: msg-id without comments and quoting.
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
MSG_ID = re.compile(rf"<{ATOM}(\.{ATOM})*@{ATOM}(\.{ATOM})*>".encode())


def test_it_is_made_of_random_octets_the_clock_and_the_host() -> None:
    assert (
        make_timestamp(bytes(range(8)), 697170952, "pop.example.org") == b"<0001020304050607.697170952@pop.example.org>"
    )


@given(
    st.binary(min_size=MIN_RANDOM_OCTETS, max_size=32), st.integers(0, 2**40), st.sampled_from(["localhost", "a_b.c-d"])
)
def test_it_is_a_strict_message_id(random: bytes, clock: int, host: str) -> None:
    assert MSG_ID.fullmatch(make_timestamp(random, clock, host))


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "a b", "a>b", "caf\u00e9", "[127.0.0.1]", "x" * 256, "a\r\nb", "host\n"]
)
def test_a_host_that_would_break_the_form_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        make_timestamp(bytes(8), 0, host)


@pytest.mark.parametrize(("random", "clock"), [(bytes(7), 0), (bytes(8), -1)])
def test_too_little_randomness_and_a_negative_clock_are_refused(random: bytes, clock: int) -> None:
    with pytest.raises(ValueError, match="64 random bits"):
        make_timestamp(random, clock, "localhost")
