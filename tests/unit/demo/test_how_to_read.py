from __future__ import annotations

from pathlib import Path

import pytest

from demo.how_to_read import how_to_read
from demo.site import USERS, SampleSite


@pytest.fixture
def text(tmp_path: Path) -> str:
    return how_to_read(SampleSite(tmp_path, 11110, 11995, 11024))


def test_every_user_is_listed_with_the_number_of_their_messages(text: str) -> None:
    for user in USERS:
        assert any(user.name in line and f"{user.messages:,} messages" in line for line in text.splitlines())


def test_there_are_commands_for_curl_mutt_and_fetchmail_on_both_ports(text: str) -> None:
    for program in ("curl --user", "mutt -e", "fetchmail --silent"):
        assert program in text
    for address in ("pop3://127.0.0.1:11110/1", "pop3s://localhost:11995/1", "service 11995", "service 11110"):
        assert address in text


def test_there_are_commands_that_send_a_message_by_lmtp(text: str) -> None:
    assert 'LMTP("127.0.0.1", 11024).sendmail("", "yasuhi-a", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")' in text
    assert "swaks --protocol LMTP --server 127.0.0.1 --port 11024" in text


def test_apop_is_shown_for_a_user_who_has_a_secret(text: str) -> None:
    assert 'protocol apop user "clerk"' in text


def test_the_certificate_is_named_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--cacert .demo/site/tls/certificate.pem" in how_to_read(SampleSite(tmp_path / ".demo", 1, 2, 3))
