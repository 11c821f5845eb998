"""Taking over ids with the power cut: each id is the old one or ours, and the next run completes it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from spool.foreign_ids.sources import Formula
from spool.foreign_ids.users import Outcome, Report, import_ids, list_ids
from spool.mailbox import MailboxKind
from spool.mailboxes import open_mailbox
from spool.names import UserName
from spool.progress import NoProgress
from spool.site_mailboxes import SiteMailboxes
from tests.crash.losing import each_power_cut
from tests.made_site import MadeSite
from tests.one_user import ENVELOPE, numbered

ANN = UserName("ann")
MAIL = (*numbered(range(2)), b"Subject: twice\n\nequal\n", b"Subject: twice\n\nequal\n")
OLD_IDS = [f"old-{number}" for number in range(len(MAIL))]
SOURCE = Formula("old", lambda mailbox: OLD_IDS[: len(mailbox.messages)])


def made(directory: Path, kind: MailboxKind, number: int) -> SiteMailboxes:
    (directory / str(number)).mkdir()
    site = MadeSite(directory / str(number), {ANN.text: kind})
    for message in MAIL:
        open_mailbox(site.location(ANN.text), site.settings).deliver([message], ENVELOPE)
    return SiteMailboxes(site.site, site.settings, uid_min=1)


def take_over(spool: SiteMailboxes) -> Report:
    return import_ids(spool, SOURCE, progress=NoProgress())


def ids(spool: SiteMailboxes) -> list[str]:
    return [message.unique_id for message in list_ids(spool, ANN)]


def test_after_a_power_cut_each_id_is_ours_or_the_old_one_and_the_next_run_completes(
    tmp_path: Path, kind: MailboxKind
) -> None:
    def directory(spool: SiteMailboxes) -> Path:
        return spool.site.directory

    for cut in each_power_cut(
        partial(made, tmp_path, kind), lambda spool: partial(take_over, spool), root=directory, step=2
    ):
        left = ids(cut.state)
        assert len(set(left)) == len(MAIL), cut
        for unique_id, old_id in zip(left, OLD_IDS, strict=True):
            assert unique_id == old_id or not unique_id.startswith("old-"), cut
        (again,) = take_over(cut.state).users
        assert ids(cut.state) == OLD_IDS, cut
        if cut.completed:
            assert (left, again.outcome) == (OLD_IDS, Outcome.DONE_BEFORE), cut
        shutil.rmtree(directory(cut.state))
