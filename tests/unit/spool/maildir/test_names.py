from __future__ import annotations

import pytest

from spool.maildir.names import (
    UniqueNames,
    claimed_wire_octets,
    is_seen,
    split_name,
    wire_octets_in,
    with_seen,
    with_sizes,
)
from spool.unique_ids import key_of_name


def names(host: str = "mail.example.org") -> UniqueNames:
    return UniqueNames(
        clock_ns=lambda: 1_732_424_000_000_330_999, pid=lambda: 71, random_hex=lambda octets: "5a" * octets, host=host
    )


def test_a_name_tells_time_process_count_randomness_and_host() -> None:
    maker = names()
    assert maker.make() == "1732424000.M330P71Q1R5a5a5a5a.mail.example.org"
    assert maker.make() == "1732424000.M330P71Q2R5a5a5a5a.mail.example.org"


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("a/b:c", r"a\057b\072c"),
        ("a,W=1", r"a\054W=1"),
        ("a b\né", "a_b__"),
        ("", "localhost"),
        ("h" * 300, "h" * 64),
    ],
)
def test_a_host_cannot_spoil_the_name(host: str, written: str) -> None:
    assert names(host).make() == f"1732424000.M330P71Q1R5a5a5a5a.{written}"


def test_a_name_with_sizes_is_a_unique_id_for_hosts_of_usual_length() -> None:
    name = with_sizes(names("mx1").make(), disk_octets=12345, wire_octets=12399)
    assert name.endswith(".mx1,S=12345,W=12399")
    assert key_of_name(name) == name


def test_real_names_differ() -> None:
    maker = UniqueNames()
    assert len({maker.make() for _ in range(100)} | {UniqueNames().make() for _ in range(100)}) == 200


@pytest.mark.parametrize(
    ("name", "base", "info"),
    [("a:2,S", "a", ":2,S"), ("a", "a", ""), ("a:", "a", ":"), ("a:b:c", "a", ":b:c"), (":2,S", "", ":2,S")],
)
def test_base_and_info_are_parted_at_the_first_colon(name: str, base: str, info: str) -> None:
    assert split_name(name) == (base, info)


@pytest.mark.parametrize(
    ("base", "octets"),
    [
        ("1.x.y,S=3,W=14", "14"),
        ("1.x.y,W=14,S=3", "14"),
        ("1.x.y,W=14,W=15", "15"),
        ("1.x.y", ""),
        ("1.x.y,W=", ""),
        ("1.x.y,W=-1", ""),
        ("1.x.y,W=1a", ""),
        ("1.x.y,W=١٢", ""),
        ("1.x.y,W=²", ""),
        ("1.x.y,W=" + "9" * 16, ""),
        ("two\nlines,W=5", "5"),
        ("\udcff,W=5", "5"),
        ("", ""),
    ],
)
def test_the_wire_size_is_found_in_a_base_among_others(base: str, octets: str) -> None:
    assert claimed_wire_octets([base]) == [octets]
    assert wire_octets_in(base) == (int(octets) if octets else None)
    assert claimed_wire_octets(["1.x.y,W=7", base, "1.x.z"]) == ["7", octets, ""]


def test_no_names_claim_no_sizes() -> None:
    assert claimed_wire_octets([]) == []


@pytest.mark.parametrize(
    ("info", "seen"),
    [(":2,S", True), (":2,FRS", True), (":2,", False), ("", False), (":1,S", False), (":2,F;S", False)],
)
def test_the_flag_for_read_messages_is_found_in_an_info(info: str, seen: bool) -> None:
    assert is_seen(info) is seen


@pytest.mark.parametrize(
    ("info", "marked"),
    [("", ":2,S"), (":2,", ":2,S"), (":2,T", ":2,ST"), (":2,aFS", ":2,FSa"), (":1,x", ":2,S"), (":", ":2,S")],
)
def test_a_message_is_marked_as_read_with_its_flags_in_order(info: str, marked: str) -> None:
    assert with_seen(info) == marked
