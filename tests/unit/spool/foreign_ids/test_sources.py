"""Tests of spool.foreign_ids.sources."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from spool.errors import ForeignIdsError
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.sources import (
    SOURCES,
    IdSource,
    LiveOptions,
    LiveSource,
    SourceOptions,
    live_source,
    source_named,
)
from spool.names import UserName
from tests.unit.spool.foreign_ids.mailboxes import maildir, mbox
from tests.unit.spool.foreign_ids.old_servers import LOGGED_IN, Scripted

NOTHING = SourceOptions()


def ids_of(source: IdSource, mailbox: OldMailbox) -> FoundIds:
    return source.finder(mailbox.user)(mailbox)


def test_a_formula_is_the_same_for_all() -> None:
    source = source_named("qmail-pop3d", NOTHING)
    assert source.name == "qmail-pop3d"
    assert ids_of(source, maildir("1.a")) == ["1.a"]


def test_qpopper_has_an_old_style() -> None:
    mailbox = mbox(b"Subject: a\n")
    new, old = (
        ids_of(source_named("qpopper", SourceOptions(format=style)), mailbox)[0] or "" for style in (None, "old-style")
    )
    assert (len(new), len(old)) == (20, 32)


def test_dovecot_has_a_format_and_a_list(tmp_path: Path) -> None:
    (tmp_path / "dovecot-uidlist").write_bytes(b"3 V5 N2\n1 :1.a\n")
    mailbox = maildir("1.a", path=tmp_path)
    assert ids_of(source_named("dovecot", NOTHING), mailbox) == ["0000000100000005"]
    assert ids_of(source_named("dovecot", SourceOptions(format="%v.%u")), mailbox) == ["5.1"]


@pytest.mark.parametrize(("name", "text"), [("courier", "/1 9\n1.a 17 1\n"), ("list", "1.a UID1\n")])
def test_each_user_may_have_a_list_elsewhere(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "yasuhi.list").write_text(text)
    source = source_named(name, SourceOptions(file=f"{tmp_path}/{{user}}.list"))
    assert ids_of(source, maildir("1.a")) == ["UID1"]
    with pytest.raises(ForeignIdsError, match=r"other\.list"):
        source.finder(UserName("other"))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("cucipop", NOTHING, "expected one of courier, dovecot"),
        ("popa3d", SourceOptions(file="x"), "reads no file"),
        ("popa3d", SourceOptions(format="x"), "has no format 'x'"),
        ("courier", SourceOptions(format="x"), "no format to choose"),
        ("list", SourceOptions(format="x"), "no format to choose"),
        ("list", NOTHING, "needs a file"),
        ("dovecot", SourceOptions(format="%q"), "'q' in a format"),
    ],
)
def test_options_that_do_not_fit_are_an_error(name: str, options: SourceOptions, text: str) -> None:
    with pytest.raises(ForeignIdsError, match=text):
        source_named(name, options)


def test_there_is_a_source_for_each_server() -> None:
    assert list(SOURCES) == ["courier", "dovecot", "list", "popa3d", "qmail-pop3d", "qpopper", "uw", "x-uidl"]


# -- the live one --------------------------------------------------------------------------------------------------


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    file = tmp_path / "credentials"
    file.write_text("*:x\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("old", "old", 110), ("old:995", "old", 995), ("[::1]", "::1", 110), ("[::1]:995", "::1", 995)],
)
def test_the_port_follows_from_the_security(credentials: Path, address: str, host: str, port: int) -> None:
    server = live_source(LiveOptions(address, credentials)).server
    assert (server.host, server.port, server.security) == (host, port, "stls")


def test_certificates_are_verified_unless_it_is_forbidden(credentials: Path) -> None:
    context = live_source(LiveOptions("old", credentials)).server.context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    context = live_source(LiveOptions("old", credentials, verify=False)).server.context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("address", ["", "a b", "a:b", "::1", "[::1"])
def test_an_address_that_is_none_is_an_error(credentials: Path, address: str) -> None:
    with pytest.raises(ForeignIdsError, match="expected HOST or HOST:PORT"):
        live_source(LiveOptions(address, credentials))


def test_certificates_that_cannot_be_read_are_an_error(credentials: Path, tmp_path: Path) -> None:
    for ca_file in (tmp_path / "missing", credentials):
        with pytest.raises(ForeignIdsError, match=ca_file.name):
            live_source(LiveOptions("old", credentials, ca_file=ca_file))


def test_the_old_server_is_asked_once_for_a_user(credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, [*LOGGED_IN, b"+OK\r\n.\r\n", b"+OK\r\n.\r\n", b"+OK\r\n"])
    made = live_source(LiveOptions("old", credentials, login="{user}*admin"))
    source = LiveSource(script.server(), made.credentials)
    assert source.name == "live"
    assert ids_of(source, maildir("1.a")) == [None]
    assert script.asked() == [b"USER yasuhi*admin", b"PASS x", b"LIST", b"UIDL", b"QUIT"]
