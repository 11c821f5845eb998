"""The one place where a kind of mailbox joins the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from spool.quota.limits import Limit
from tests.one_user import OneUser

# Wide enough for every test, so that a mailbox with a limit must keep the promises of one without.
WIDE = Limit(10**12, 10**6)


@pytest.fixture(params=[None, WIDE], ids=["", "limited"])
def limit(request: pytest.FixtureRequest) -> Limit | None:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def user(request: pytest.FixtureRequest, tmp_path: Path, limit: Limit | None) -> OneUser:
    """A user with an empty mailbox of each kind in turn, without and with a limit."""
    return OneUser(tmp_path / "home", request.param, limit)
