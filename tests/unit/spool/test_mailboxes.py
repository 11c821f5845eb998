from __future__ import annotations

from pathlib import Path

import pytest

from spool.mailbox import MailboxKind
from spool.mailboxes import open_mailbox
from spool.maildir import MaildirMailbox
from spool.mbox import MboxMailbox
from spool.settings import SpoolSettings
from tests.mailbox_locations import location_in


@pytest.mark.parametrize(
    ("kind", "mailbox_class"), [(MailboxKind.MAILDIR, MaildirMailbox), (MailboxKind.MBOX, MboxMailbox)]
)
def test_the_mailbox_is_of_the_kind_of_its_location(tmp_path: Path, kind: MailboxKind, mailbox_class: type) -> None:
    mailbox = open_mailbox(location_in(tmp_path, kind), SpoolSettings(root=tmp_path))
    assert type(mailbox) is mailbox_class
    assert mailbox.location.kind is kind
