"""Tests of ``spool.settings``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spool.mailbox import MailboxKind
from spool.names import UserName
from spool.settings import MaildropTemplate, SpoolSettings

ROOT = Path("/mail")


def test_defaults_are_letter_and_a_maildrop_of_either_kind_in_the_home() -> None:
    settings = SpoolSettings(ROOT)
    assert settings.layout == "letter"
    assert [template.kind for template in settings.templates] == [MailboxKind.MAILDIR, MailboxKind.MBOX]


@pytest.mark.parametrize(
    "values",
    [
        {"layout": "first-two"},
        {"maildrop": ("/var/mail/{hash}/{user}",)},
        {"maildrop": ("/var/mail/{user}/", "{home}/mail/{user}")},
        {"home_link": "/home/{user}"},
        {"mbox_locks": ("dotlock", "flock", "fcntl")},
        {"break_character": "+"},
        {"quota": "1G,10000", "quota_full": "permanent"},
        {"quota": "none"},
        {"expire_days": 1, "expire_fetched_days": 365},
    ],
)
def test_settings_in_their_range_are_taken(values: dict[str, Any]) -> None:
    SpoolSettings(ROOT, **values)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"root": Path("mail")}, "root: expected an absolute path, found 'mail'"),
        ({"layout": "hash"}, "layout: no layout 'hash'; there are letter"),
        ({"maildrop": ()}, "maildrop: expected at least one template"),
        ({"maildrop": ("Maildir/",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{user}/Maildir/",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{home}",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("/mail/{home}/x",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{home}/{home}/x",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{home}/../x",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{home}/\0",)}, "maildrop: expected an absolute path"),
        ({"maildrop": ("{home}/{uid}",)}, r"maildrop: expected only \{hash\}, \{home\}, \{user\} in braces"),
        ({"maildrop": ("{home}/{user.text}",)}, "maildrop: expected only"),
        ({"maildrop": ("{home}/{user!r}",)}, "maildrop: expected only"),
        ({"maildrop": ("{home}/{user:>99999999}",)}, "maildrop: expected only"),
        ({"maildrop": ("{home}/{user",)}, "maildrop: .*'}'"),
        ({"home_link": "/home/ann"}, r"home_link: expected a path with \{user\}"),
        ({"home_link": "/home/{hash}/{user}"}, r"home_link: expected only \{user\} in braces"),
        ({"home_link": "home/{user}"}, "home_link: expected an absolute path"),
        ({"home_link": "{home}/{user}"}, "home_link: expected only"),
        ({"quota": "much"}, "quota: expected a limit such as 500M"),
        ({"quota": "0"}, "quota: expected at least 1 octet or message"),
        ({"expire_days": 0}, "expire_days: expected at least 1, found 0"),
        ({"expire_fetched_days": -1}, "expire_fetched_days: expected at least 1, found -1"),
        ({"mbox_locks": ()}, "mbox_locks: expected different locks, at least one"),
        ({"mbox_locks": ("flock", "flock")}, "mbox_locks: expected different locks"),
        ({"mbox_lock_seconds": 0.0}, "mbox_lock_seconds: expected more than 0, found 0"),
        ({"mbox_dotlock_stale_seconds": -1.0}, "mbox_dotlock_stale_seconds: expected more than 0"),
        ({"break_character": ""}, "break_character: expected one of"),
        ({"break_character": "--"}, "break_character: expected one of"),
        ({"break_character": "/"}, "break_character: expected one of"),
    ],
)
def test_a_value_out_of_its_range_is_named_by_its_key(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        SpoolSettings(**{"root": ROOT, **values})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{home}/Maildir/", "/mail/a/ann/Maildir"),
        ("/var/mail/{hash}/{user}", "/var/mail/a/ann"),
        ("{home}/{user}.{hash}", "/mail/a/ann/ann.a"),
    ],
)
def test_a_template_says_where_a_mailbox_is(text: str, path: str) -> None:
    template = MaildropTemplate(text)
    assert template.path(home=Path("/mail/a/ann"), user=UserName("ann"), directory="a") == Path(path)


def test_a_template_knows_whether_it_is_in_the_home() -> None:
    assert MaildropTemplate("{home}/Mailbox").in_home
    assert not MaildropTemplate("/var/mail/{user}").in_home
