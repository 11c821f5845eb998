"""The one place where a kind of mailbox joins the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from tests.one_user import OneUser


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def user(request: pytest.FixtureRequest, tmp_path: Path) -> OneUser:
    """A user with an empty mailbox of each kind in turn."""
    return OneUser(tmp_path / "home", request.param)
