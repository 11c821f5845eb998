"""Every kind of mailbox is stopped and troubled alike."""

from __future__ import annotations

import os

import pytest

from spool.mailbox import MailboxKind


@pytest.fixture(params=list(MailboxKind), ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> MailboxKind:
    """Each kind in turn."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs count as file operations and cost nothing: a process is stopped, never the machine."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
