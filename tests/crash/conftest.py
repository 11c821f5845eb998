"""Every kind of mailbox is stopped and troubled alike."""

from __future__ import annotations

import pytest

from spool.mailbox import MailboxKind


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> MailboxKind:
    """Each kind in turn."""
    return request.param  # type: ignore[no-any-return]
