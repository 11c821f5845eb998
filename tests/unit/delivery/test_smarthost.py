"""Tests of ``delivery.smarthost``, with an SMTP server that says what a test wants."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from delivery.errors import ForwardingDeferredError, ForwardingRefusedError
from delivery.messages import Message
from delivery.settings import DeliverySettings
from delivery.smarthost import Credentials, SmarthostForwarder, read_credentials
from spool.errors import SpoolError
from tests.unit.delivery.smtp_server import EXTENSIONS, FakeServer, smtp_server, write_certificate

MESSAGE = b"Subject: x\n\n.\nbody\n"
DELIVERED_TO = b"Delivered-To: joe@a.org\n"
SENT = b"Delivered-To: joe@a.org\r\nSubject: x\r\n\r\n..\r\nbody\r\n.\r\n"


def forwarder(server: FakeServer, **settings: Any) -> SmarthostForwarder:
    given: dict[str, Any] = {
        "smarthost": f"127.0.0.1:{server.port}",
        "smarthost_tls": "none",
        "smarthost_seconds": 60.0,
    } | settings
    return SmarthostForwarder(DeliverySettings(**given))


def forward(
    server: FakeServer, sender: str | None, *recipients: str, message: bytes = MESSAGE, **settings: Any
) -> None:
    forwarder(server, **settings).forward(Message.of([message]), DELIVERED_TO, sender, recipients)


def trouble_of(
    replies: Mapping[bytes, bytes | list[bytes]], *recipients: str, extensions: Sequence[str] = EXTENSIONS
) -> tuple[SpoolError, FakeServer]:
    """What forwarding raises if the server says that."""
    with smtp_server(replies, extensions) as server:
        with pytest.raises(SpoolError) as trouble:
            forward(server, "s@x.org", *(recipients or ("a@b.org",)))
        return trouble.value, server


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_one_transaction_has_all_recipients_and_the_line_on_top(extensions: Sequence[str]) -> None:
    with smtp_server(extensions=extensions) as server:
        forward(server, "s@x.org", "a@b.org", "c d@e.org")
    assert server.commands[0].startswith(b"EHLO ")
    assert server.commands[1:] == [
        b"MAIL FROM:<s@x.org>",
        b"RCPT TO:<a@b.org>",
        b'RCPT TO:<"c d"@e.org>',
        b"DATA",
        b"QUIT",
    ]
    assert server.messages == [SENT]


def test_the_null_sender_is_written_as_such() -> None:
    with smtp_server() as server:
        forward(server, None, "a@b.org")
    assert server.commands[1] == b"MAIL FROM:<>"


def test_each_recipient_has_a_sender_of_their_own_where_the_list_asks_for_it() -> None:
    with smtp_server() as server:
        forward(server, "joe-list-owner-@a.org-@[]", "bob@b.net", "ann@c.net")
    assert [command for command in server.commands if command[:4] in {b"MAIL", b"RCPT"}] == [
        b"MAIL FROM:<joe-list-owner-bob=b.net@a.org>",
        b"RCPT TO:<bob@b.net>",
        b"MAIL FROM:<joe-list-owner-ann=c.net@a.org>",
        b"RCPT TO:<ann@c.net>",
    ]
    assert server.messages == [SENT, SENT]


def test_no_transaction_has_more_recipients_than_every_server_takes() -> None:
    with smtp_server() as server:
        forward(server, "s@x.org", *(f"{number}@b.org" for number in range(150)))
    kinds = b"".join(command[:1] for command in server.commands)
    assert kinds == b"E" + b"M" + b"R" * 100 + b"D" + b"M" + b"R" * 50 + b"D" + b"Q"


# -- who is not taken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply", "status"),
    [
        (b"MAIL", b"550 5.7.1 not you\r\n", "5.7.1"),
        (b"RCPT", b"550 5.1.1 unknown\r\n", "5.1.1"),
        (b"RCPT", b"550 unknown\r\n", "5.4.0"),
        (b"DATA", b"554 5.6.0 no\r\n", "5.6.0"),
        (b".", b"552 5.3.4 too big\r\n", "5.3.4"),
    ],
)
def test_what_the_smarthost_refuses_for_good_is_refused(command: bytes, reply: bytes, status: str) -> None:
    trouble, server = trouble_of({command: reply})
    assert isinstance(trouble, ForwardingRefusedError)
    assert str(trouble.status) == status
    assert trouble.public_text == "the message cannot be forwarded"
    assert server.commands[-1] == b"QUIT"


@pytest.mark.parametrize(
    ("command", "reply", "status"),
    [
        (b"", b"554 5.3.2 not now\r\n", "4.4.0"),
        (b"", b"nonsense\r\n", "4.4.0"),
        (b"EHLO", b"550 5.7.1 who\r\n", "4.4.0"),
        (b"MAIL", b"451 4.3.0 later\r\n", "4.3.0"),
        (b"MAIL", b"530 5.7.0 log in first\r\n", "4.4.0"),
        (b"RCPT", b"450 4.2.0 later\r\n", "4.2.0"),
        (b"RCPT", b"552 5.5.3 too many\r\n", "4.4.0"),
        (b"RCPT", b"354 what\r\n", "4.4.0"),
        (b"DATA", b"250 what\r\n", "4.4.0"),
        (b"DATA", b"451 4.3.0 later\r\n", "4.3.0"),
        (b".", b"452 4.3.1 full\r\n", "4.3.1"),
        (b".", b"", "4.4.0"),
    ],
)
def test_any_other_trouble_is_temporary(command: bytes, reply: bytes, status: str) -> None:
    trouble, _ = trouble_of({command: reply})
    assert isinstance(trouble, ForwardingDeferredError)
    assert str(trouble.status) == status


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_if_one_recipient_is_refused_nobody_has_the_message(extensions: Sequence[str]) -> None:
    trouble, server = trouble_of({b"RCPT TO:<c": b"550 5.1.1 no\r\n"}, "a@b", "c@d", "e@f", extensions=extensions)
    assert str(trouble.status) == "5.1.1"
    assert b"DATA" not in server.commands
    assert server.messages == []


def test_one_who_may_be_taken_later_decides_before_one_who_never_is() -> None:
    trouble, _ = trouble_of({b"RCPT TO:<a": b"550 5.1.1 no\r\n", b"RCPT TO:<c": b"450 4.2.1 later\r\n"}, "a@b", "c@d")
    assert str(trouble.status) == "4.2.1"


def test_a_message_that_was_taken_over_is_whatever_is_said_afterwards() -> None:
    with smtp_server({b"QUIT": b""}) as server:
        forward(server, "s@x.org", "a@b.org")
    assert server.messages == [SENT]


def test_nobody_who_listens_and_nobody_who_answers_are_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = DeliverySettings(smarthost=f"127.0.0.1:{silent.getsockname()[1]}", smarthost_seconds=0.05)
        with pytest.raises(ForwardingDeferredError, match="time"):
            SmarthostForwarder(settings).forward(Message.of([MESSAGE]), b"", None, ["a@b"])
    with pytest.raises(ForwardingDeferredError, match="refused"):
        SmarthostForwarder(settings).forward(Message.of([MESSAGE]), b"", None, ["a@b"])


# -- what it cannot take ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "sender", "parameters"),
    [
        (MESSAGE, "s@x.org", b""),
        (MESSAGE + b"\xff\n", "s@x.org", b" BODY=8BITMIME"),
        (MESSAGE, "jürg@x.org", b" BODY=8BITMIME SMTPUTF8"),
    ],
)
def test_what_needs_an_extension_asks_for_it(message: bytes, sender: str, parameters: bytes) -> None:
    with smtp_server() as server:
        forward(server, sender, "a@b.org", message=message)
    assert server.commands[1].endswith(b">" + parameters)


@pytest.mark.parametrize(
    ("extensions", "message", "recipient", "status"),
    [
        (("SMTPUTF8",), MESSAGE + b"\xff\n", "a@b.org", "5.6.3"),
        (("8BITMIME",), MESSAGE, "jürg@b.org", "5.6.7"),
    ],
)
def test_what_the_smarthost_cannot_carry_is_refused(
    extensions: Sequence[str], message: bytes, recipient: str, status: str
) -> None:
    with smtp_server(extensions=extensions) as server, pytest.raises(ForwardingRefusedError) as trouble:
        forward(server, "s@x.org", recipient, message=message)
    assert str(trouble.value.status) == status
    assert server.messages == []


def test_no_address_is_sent_that_is_none() -> None:
    with smtp_server() as server, pytest.raises(ForwardingRefusedError):
        forward(server, "s@x.org", "a@b.org", "c@d.org>\r\nDATA")
    assert server.commands == []


# -- TLS and credentials ----------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path)


def secret(directory: Path, octets: bytes = b"joe\nsecret word\n", mode: int = 0o600) -> Path:
    file = directory / "secret"
    file.write_bytes(octets)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_the_password_goes_over_tls_only(tmp_path: Path, certificate: Path, way: str) -> None:
    with smtp_server(certificate=certificate, implicit=way == "implicit") as server:
        forward(
            server,
            "s@x.org",
            "a@b.org",
            smarthost_tls=way,
            smarthost_ca_file=certificate,
            smarthost_credentials=secret(tmp_path),
        )
    before = [b"EHLO", b"STARTTLS"] if way == "starttls" else []
    assert [command.partition(b" ")[0] for command in server.commands] == [
        *(*before, b"EHLO", b"AUTH", b"MAIL", b"RCPT", b"DATA", b"QUIT"),
    ]
    assert b"AUTH PLAIN " + base64.b64encode(b"\0joe\0secret word") in server.commands
    assert server.messages == [SENT]


def test_a_certificate_of_somebody_else_is_temporary(tmp_path: Path, certificate: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_certificate(tmp_path / "other")
    trouble = pytest.raises(ForwardingDeferredError, match=r"(?i)certificate")
    with smtp_server(certificate=certificate) as server, trouble:
        forward(server, "s@x.org", "a@b.org", smarthost_tls="starttls", smarthost_ca_file=other)
    assert server.messages == []


def test_without_the_tls_that_was_asked_for_nothing_is_sent() -> None:
    with smtp_server() as server, pytest.raises(ForwardingDeferredError, match=r"does not offer STARTTLS$"):
        forward(server, "s@x.org", "a@b.org", smarthost_tls="starttls")
    assert server.messages == []


@pytest.mark.parametrize(
    ("replies", "extensions", "text"),
    [
        ({b"AUTH": b"535 5.7.8 wrong\r\n"}, EXTENSIONS, "535 5.7.8 wrong"),
        ({}, ("AUTH LOGIN",), "does not offer AUTH PLAIN"),
        ({}, (), "does not offer AUTH PLAIN"),
    ],
)
def test_credentials_that_are_not_taken_are_temporary_and_in_no_log(
    tmp_path: Path, certificate: Path, replies: Mapping[bytes, bytes], extensions: Sequence[str], text: str
) -> None:
    settings: dict[str, Any] = {"smarthost_tls": "implicit", "smarthost_ca_file": certificate}
    with (
        smtp_server(replies, extensions, certificate=certificate, implicit=True) as server,
        pytest.raises(ForwardingDeferredError, match=text) as trouble,
    ):
        forward(server, "s@x.org", "a@b.org", smarthost_credentials=secret(tmp_path), **settings)
    assert "secret word" not in str(trouble.value)
    assert server.messages == []


def test_credentials_are_read_once_and_not_shown(tmp_path: Path) -> None:
    found = read_credentials(secret(tmp_path))
    assert found == Credentials(b"joe", b"secret word")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("octets", "mode"), [(b"joe\nsecret\n", 0o604), (b"joe\n", 0o600), (b"joe\nsecret\nmore\n", 0o600)]
)
def test_a_file_that_others_may_read_or_that_holds_no_credentials_is_known_before_anything_is_done(
    tmp_path: Path, octets: bytes, mode: int
) -> None:
    with smtp_server() as server:
        unready = forwarder(server, smarthost_tls="starttls", smarthost_credentials=secret(tmp_path, octets, mode))
        with pytest.raises(ForwardingDeferredError, match="expected") as trouble:
            unready.check()
    assert "joe" not in str(trouble.value)


def test_a_fifo_and_nothing_at_all_are_no_credentials(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    with pytest.raises(ValueError, match="expected a file"):
        read_credentials(fifo)
    with pytest.raises(FileNotFoundError):
        read_credentials(tmp_path / "missing")
