from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import SettingsError
from spool.site import Site
from tools.site_settings import read_site_settings


def announced(directory: Path, spool: str, pop3: str = "") -> int | None:
    site = Site(directory)
    site.settings_file.write_text(f'[spool]\nroot = "/mail"\n{spool}\n[pop3]\n{pop3}\n')
    return read_site_settings(site).pop3.expire_days


@pytest.mark.parametrize(
    ("spool", "pop3", "days"),
    [
        ("", "", None),
        ("", "expire_days = -1", -1),
        ("expire_days = 365", "", 365),
        ("expire_days = 365\nexpire_fetched_days = 30", "", 30),
        ("expire_fetched_days = 30", "expire_days = 30", 30),
        ("expire_days = 365", "expire_days = 0", 0),
    ],
)
def test_expire_announces_the_age_at_which_mail_may_be_removed(
    tmp_path: Path, spool: str, pop3: str, days: int | None
) -> None:
    assert announced(tmp_path, spool, pop3) == days


@pytest.mark.parametrize("days", [-1, 31])
def test_expire_must_not_promise_more_than_is_kept(tmp_path: Path, days: int) -> None:
    with pytest.raises(SettingsError, match=f"pop3.expire_days: expected 0 to 30, .*, found {days}"):
        announced(tmp_path, "expire_days = 365\nexpire_fetched_days = 30", f"expire_days = {days}")
