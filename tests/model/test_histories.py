"""Histories of one mailbox of each kind."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings

from spool.mailbox import MailboxKind
from tests.model.histories import History
from tests.one_user import OneUser


class MaildirHistory(History):
    def make_user(self, directory: Path) -> OneUser:
        return OneUser(directory / "home", MailboxKind.MAILDIR)


class MboxHistory(History):
    def make_user(self, directory: Path) -> OneUser:
        return OneUser(directory / "home", MailboxKind.MBOX)


HISTORIES = settings(max_examples=15, stateful_step_count=25, deadline=None)

TestMaildirHistory = MaildirHistory.TestCase
TestMaildirHistory.settings = HISTORIES
TestMboxHistory = MboxHistory.TestCase
TestMboxHistory.settings = HISTORIES
