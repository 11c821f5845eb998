from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from serving.settings import (
    InternetAddress,
    LimitsSettings,
    ListenerSettings,
    LogSettings,
    ServiceSettings,
    UnixAddress,
    WorkersSettings,
    check_listeners,
    parse_address,
)

PEM = Path("/etc/mailspool/tls.pem")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:110", InternetAddress("127.0.0.1", 110)),
        ("[::1]:995", InternetAddress("::1", 995)),
        ("[0:0:0:0:0:0:0:0]:0", InternetAddress("::", 0)),
        ("unix:/run/mailspool/lmtp", UnixAddress(Path("/run/mailspool/lmtp"))),
    ],
)
def test_an_address_is_taken_apart(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1:110", "[::1]:995", "unix:/run/mailspool/lmtp"])
def test_an_address_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "110",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:\N{ARABIC-INDIC DIGIT ONE}",
        "localhost:110",
        "::1:995",
        "[127.0.0.1]:110",
        "[::1:995",
        "unix:relative",
        "unix:",
        "unix:/" + 107 * "a",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_address(text)


def test_a_pop3_listener_needs_no_certificate() -> None:
    listener = ListenerSettings("pop3", "127.0.0.1:110")
    assert not listener.implicit_tls
    assert listener.socket_address == InternetAddress("127.0.0.1", 110)


def test_a_pop3s_listener_begins_with_tls() -> None:
    assert ListenerSettings("pop3s", "127.0.0.1:995", certificate=PEM, key=PEM, client_ca=PEM).implicit_tls


@pytest.mark.parametrize(
    ("protocol", "address", "certificate", "key", "client_ca", "named"),
    [
        ("imap", "127.0.0.1:110", None, None, None, "protocol: expected one of pop3, pop3s, lmtp, found 'imap'"),
        ("pop3", "localhost:110", None, None, None, "address: expected an IPv4"),
        ("pop3", "127.0.0.1:110", PEM, None, None, "certificate: .* together"),
        ("pop3", "127.0.0.1:110", None, PEM, None, "certificate: .* together"),
        ("pop3s", "127.0.0.1:995", None, None, None, "certificate: pop3s needs"),
        ("pop3", "127.0.0.1:110", None, None, PEM, "client_ca: needs certificate"),
    ],
)
def test_a_wrong_listener_is_refused_by_the_name_of_its_key(
    protocol: str, address: str, certificate: Path | None, key: Path | None, client_ca: Path | None, named: str
) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        ListenerSettings(protocol, address, certificate, key, client_ca)


def test_root_is_never_a_mail_user() -> None:
    with pytest.raises(ValueError, match=r"^uid_min: expected at least 1, found 0"):
        ServiceSettings(uid_min=0)


def test_a_time_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^drain_seconds"):
        WorkersSettings(drain_seconds=float("nan"))


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^operations_per_user"):
        LimitsSettings(operations_per_user=0)


def test_a_site_wide_limit_of_zero_means_none_and_a_negative_one_is_refused() -> None:
    assert LimitsSettings(connections_per_user=0, failures_per_address=0).connections_per_user == 0
    with pytest.raises(ValueError, match=r"^failures_per_address: expected at least 0"):
        LimitsSettings(failures_per_address=-1)


def test_no_memory_for_kept_snapshots_is_a_choice() -> None:
    assert LimitsSettings(kept_snapshot_octets=0).kept_snapshot_octets == 0
    with pytest.raises(ValueError, match=r"^kept_snapshot_octets: expected at least 0"):
        LimitsSettings(kept_snapshot_octets=-1)


def test_a_worker_cannot_have_more_stuck_threads_than_threads() -> None:
    with pytest.raises(ValueError, match=r"^stuck_threads: expected at most threads \(10\), found 11"):
        LimitsSettings(threads=10, stuck_threads=11)


@pytest.mark.parametrize(("format_", "level", "named"), [("xml", "info", "format"), ("text", "loud", "level")])
def test_an_unknown_log_choice_is_refused(format_: str, level: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: expected one of"):
        LogSettings(format_, level)


@pytest.mark.parametrize(("text", "mode"), [("0660", 0o660), ("600", 0o600), ("0666", 0o666)])
def test_the_mode_of_a_socket_is_octal(text: str, mode: int) -> None:
    assert ListenerSettings("lmtp", "unix:/x", socket_mode=text).mode == mode


@pytest.mark.parametrize("text", ["", "66", "0o660", "0686", "1777", "u+w"])
def test_what_is_no_mode_of_a_socket_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="socket_mode: expected an octal mode"):
        ListenerSettings("lmtp", "unix:/x", socket_mode=text)


def listeners(*each: str) -> list[ListenerSettings]:
    pairs = (text.split("=", 1) for text in each)
    return [ListenerSettings(protocol, address, PEM, PEM) for protocol, address in pairs]


@pytest.mark.parametrize(
    "texts",
    [
        ("pop3=127.0.0.1:110", "pop3=127.0.0.2:110"),
        ("pop3=127.0.0.1:0", "pop3s=127.0.0.1:0"),
        ("pop3=127.0.0.1:110", "pop3=unix:/run/pop3.sock", "pop3=[::1]:110"),
    ],
)
def test_listeners_have_addresses_of_their_own(texts: Sequence[str]) -> None:
    check_listeners(listeners(*texts))


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (("pop3=127.0.0.1:110", "pop3s=127.0.0.1:110"), "two listeners have 127.0.0.1:110"),
        (("pop3=[::1]:110", "pop3=[0:0::1]:110"), r"two listeners have \[::1\]:110"),
        (("pop3=unix:/run/s", "pop3=unix:/run/s"), "two listeners have unix:/run/s"),
        (("pop3=127.0.0.1:0", "pop3=127.0.0.1:0"), "two pop3 listeners have 127.0.0.1:0"),
    ],
)
def test_two_listeners_with_one_address_are_an_error(texts: Sequence[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_listeners(listeners(*texts))


def test_more_workers_than_any_machine_runs_are_an_error() -> None:
    with pytest.raises(ValueError, match="count: expected at most 1024, found 1025"):
        WorkersSettings(count=1025)
