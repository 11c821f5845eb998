from __future__ import annotations

from pathlib import Path

import pytest

from spool.errors import QuotaExceededForGoodError
from spool.mailbox import Envelope, MailboxKind
from spool.mailboxes import open_mailbox
from spool.maildir import MaildirMailbox
from spool.mbox.mailbox import MboxMailbox
from spool.quota.limits import Limit
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in


@pytest.mark.parametrize(
    ("kind", "mailbox_class"), [(MailboxKind.MAILDIR, MaildirMailbox), (MailboxKind.MBOX, MboxMailbox)]
)
def test_the_mailbox_is_of_the_kind_of_its_location(tmp_path: Path, kind: MailboxKind, mailbox_class: type) -> None:
    mailbox = open_mailbox(location_in(tmp_path, kind), SpoolSettings(root=tmp_path))
    assert type(mailbox) is mailbox_class
    assert mailbox.location.kind is kind


@pytest.mark.parametrize("kind", list(MailboxKind))
def test_a_mailbox_with_a_limit_keeps_to_it(tmp_path: Path, kind: MailboxKind) -> None:
    settings = SpoolSettings(root=tmp_path, quota_full="permanent")
    mailbox = open_mailbox(location_in(tmp_path, kind), settings, limit=Limit(None, 2))
    for _ in range(2):
        mailbox.deliver([b"Subject: x\n\ny\n"], Envelope(None))
    with pytest.raises(QuotaExceededForGoodError):
        mailbox.deliver([b"Subject: x\n\ny\n"], Envelope(None))
    maildrop = mailbox.open_maildrop()
    maildrop.commit(deleted={1}, retrieved=set())
    maildrop.close()
    mailbox.deliver([b"Subject: x\n\ny\n"], Envelope(None))
