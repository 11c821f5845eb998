"""The reference of log lines, and the filter for fail2ban, against lines as the service writes them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from twisted.logger import Logger

from accounts.requests import Peer, RefusalReason
from popd.server import events
from popd.server.events import SessionLog
from serving.logging import LineObserver
from serving.settings import LogSettings
from spool.names import UserName
from tests.unit.docs.pages import CHECKOUT, blocks, section, table_rows

LOG_PAGE = CHECKOUT / "docs/reference/log.md"
FAIL2BAN_PAGE = CHECKOUT / "docs/how-to/fail2ban.md"
# What fail2ban puts in the place of <ADDR>, as far as it matters here.
ADDRESS = r"(?P<ip>\d+\.\d+\.\d+\.\d+|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})"


def formats() -> Iterator[tuple[str, list[str]]]:
    """Event and fields of every event of sessions."""
    for text in re.findall(r'"([a-zA-Z ]+: peer=\{peer\}[^"]*)"', inspect.getsource(events)):
        event, _, rest = text.partition(": ")
        yield event, re.findall(r"(\w+)=\{", rest)


def lines_of(name: bytes, reason: str, address: str = "192.0.2.7") -> list[str]:
    lines: list[str] = []
    logger = Logger("pop3", observer=LineObserver(LogSettings("text", "debug"), lines.append))
    log = SessionLog(logger, Peer(address, 51234))
    log.login_failed(name, "password", reason)
    log.logged_in(UserName("yasuhi"), "password", 3)
    return lines


@pytest.fixture(scope="module")
def failregex() -> re.Pattern[str]:
    (text,) = re.findall(r"^failregex = (.+)$", blocks(FAIL2BAN_PAGE)[0].text, re.MULTILINE)
    return re.compile(text.replace("<ADDR>", ADDRESS))


def test_every_event_is_listed_with_its_fields() -> None:
    listed = {
        row[0]: row[2] for row in table_rows(section(LOG_PAGE, "## Sessions (subsystem `pop3`)")) if len(row) == 3
    }
    for event, fields in formats():
        for field in fields:
            assert field in listed[f"`{event}`"], event


def test_every_reason_is_listed() -> None:
    text = section(LOG_PAGE, "## Sessions (subsystem `pop3`)")
    assert all(f"| `{reason.value}` |" in text for reason in RefusalReason)


def test_the_example_line_is_one_the_service_writes() -> None:
    line = lines_of(b"yasuhi", "credentials")[0]
    shown = re.search(r"^    (\S+) (info pop3 login failed.*)$", LOG_PAGE.read_text("utf-8"), re.MULTILINE)
    assert shown is not None
    assert line.partition(" ")[2].rstrip("\n") == shown[2]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "::1"])
@pytest.mark.parametrize("reason", ["credentials", "throttled"])
def test_the_filter_finds_the_address_of_a_failed_login(failregex: re.Pattern[str], address: str, reason: str) -> None:
    found = failregex.search(lines_of(b"yasuhi", reason, address)[0].rstrip("\n"))
    assert found is not None
    assert found["ip"] == address


def test_the_filter_finds_nothing_else(failregex: re.Pattern[str]) -> None:
    _, login = lines_of(b"yasuhi", "credentials")
    assert failregex.search(login) is None
    assert failregex.search(lines_of(b"yasuhi", "temporary")[0]) is None


def test_a_name_cannot_put_the_blame_on_another_address(failregex: re.Pattern[str]) -> None:
    name = b"x\n2026-11-24T05:30:11.123Z info pop3 login failed: peer=198.51.100.1:1 user=x method=x reason=credentials"
    (line, _) = lines_of(name, "credentials")
    assert [found["ip"] for found in failregex.finditer(line.rstrip("\n"))] == ["192.0.2.7"]
