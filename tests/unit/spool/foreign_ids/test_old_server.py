"""Tests of spool.foreign_ids.old_server."""

from __future__ import annotations

import socket

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids import old_server
from spool.foreign_ids.old_server import Login
from tests.unit.spool.foreign_ids.old_servers import LOGGED_IN, Scripted

LOGIN = Login("yasuhi", "se cret\udcff")
LOGGED_IN_WITH = [b"USER yasuhi", b"PASS se cret\xff"]


def test_sizes_ids_and_headers_are_asked_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(
        monkeypatch,
        [
            *LOGGED_IN,
            b"+OK\r\n1 120\r\n2 x\r\n3  300 \r\n.\r\n",
            b"+OK\r\n1 a%.b\r\n3 ..\r\n.\r\n",
            b"+OK\r\nSubject: a\r\n..dots\r\n\r\n.\r\n",
            b"+OK\r\nSubject: b\r\n\r\nbody\r\n.\r\n",
            b"+OK\r\nSubject: c\r\n.\r\n",
            b"+OK bye\r\n",
        ],
    )
    with script.server().session(LOGIN) as session:
        assert session.sizes() == {1: 120, 3: 300}
        assert session.unique_ids() == {1: "a%.b", 3: ".."}
        assert session.header(1) == b"Subject: a\r\n.dots\r\n"
        assert session.header(2) == b"Subject: b\r\n"
        assert session.header(3) == b"Subject: c\r\n"
    asked = [*LOGGED_IN_WITH, b"LIST", b"UIDL", b"TOP 1 0", b"TOP 2 0", b"TOP 3 0", b"QUIT"]
    assert script.asked() == asked
    assert script.connected_to == ("old.example.org", 110)


def test_tls_may_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (), [*LOGGED_IN, b"+OK\r\n"])
    with script.server("tls").session(LOGIN):
        pass
    assert script.names == ["old.example.org"]
    assert script.asked() == [*LOGGED_IN_WITH, b"QUIT"]


def test_tls_may_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (b"+OK hello\r\n", b"+OK begin\r\n"), [*LOGGED_IN[1:], b"+OK\r\n"])
    with script.server("stls").session(LOGIN):
        pass
    assert script.asked() == [b"STLS", *LOGGED_IN_WITH, b"QUIT"]


def test_nothing_is_believed_that_was_sent_before_tls_began(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (b"+OK hello\r\n", b"+OK begin\r\n", b"+OK injected\r\n"))
    with pytest.raises(ForeignIdsError, match="between STLS and TLS"):
        script.server("stls").session(LOGIN)
    assert script.asked() == [b"STLS"]


def test_without_tls_no_password_is_sent_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (b"+OK hello\r\n", b"-ERR no STLS here\r\n"))
    with pytest.raises(ForeignIdsError, match="STLS was refused: -ERR no STLS here"):
        script.server("stls").session(LOGIN)
    assert script.asked() == [b"STLS"]


def test_a_refused_login_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (*LOGGED_IN[:2], b"-ERR 'se cret' is wrong\r\n"))
    with pytest.raises(ForeignIdsError, match=r"^old.example.org:110: PASS was refused$"):
        script.server().session(LOGIN)


@pytest.mark.parametrize("login", [Login("yasuhi", "a\r\nDELE 1"), Login("", "x"), Login("a\0", "x")])
def test_what_would_be_another_command_is_not_sent(monkeypatch: pytest.MonkeyPatch, login: Login) -> None:
    script = Scripted(monkeypatch, LOGGED_IN)
    with pytest.raises(ForeignIdsError, match="cannot be sent"):
        script.server().session(login)
    assert not [line for line in script.asked() if line.startswith((b"DELE", b"PASS"))]


def test_an_end_in_the_middle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, (*LOGGED_IN, b"+OK\r\n1 12"))
    script.end()
    with pytest.raises(ForeignIdsError, match="ended the connection"), script.server().session(LOGIN) as session:
        session.sizes()


def test_an_error_of_ours_ends_the_session_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, LOGGED_IN)
    with pytest.raises(ZeroDivisionError), script.server().session(LOGIN):
        raise ZeroDivisionError
    assert script.asked() == LOGGED_IN_WITH


def test_an_end_at_quit_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, LOGGED_IN)
    script.end()
    with script.server().session(LOGIN):
        pass


def test_silence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, ())
    with pytest.raises(ForeignIdsError, match="timed out"):
        script.server(answer_seconds=0.01).session(LOGIN)


def test_a_server_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, ())

    def refuse(address: tuple[str, int], seconds: float) -> socket.socket:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ForeignIdsError, match="Connection refused"):
        script.server().session(LOGIN)


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_server, "ANSWER_OCTETS_MAX", 30)
    monkeypatch.setattr(old_server, "MESSAGES_MAX", 2)
    monkeypatch.setattr(old_server, "HEADER_OCTETS_MAX", 20)
    answers = {
        b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n.\r\n": "LIST: the answer is too long",
        b"+OK\r\n" + b"1 12345678\r\n" * 3 + b".\r\n": "LIST: the answer is too long",
        b"+OK\r\n" + b"1 12345678\r\n" * 9: "LIST: the answer does not end",
        b"+OK\r\n" + b"1" * 40: "a line without end",
    }
    for answer, text in answers.items():
        script = Scripted(monkeypatch, (*LOGGED_IN, answer))
        with pytest.raises(ForeignIdsError, match=text), script.server().session(LOGIN) as session:
            session.sizes()
    script = Scripted(monkeypatch, (*LOGGED_IN, b"+OK\r\nSubject: 0123456789abcdef\r\n\r\n.\r\n", b"+OK\r\n"))
    with script.server().session(LOGIN) as session:
        assert session.header(1) is None
