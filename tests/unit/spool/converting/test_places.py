"""Tests of ``spool.converting.places``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spool.converting.places import Places, name_to_keep, places_between, places_for
from spool.errors import MailboxUnavailableError, RosterError
from spool.mailbox import MailboxKind
from tests.small_site import TEMPLATES, SmallSite

MBOX_AROUND = ("{home}/Mailbox", "{home}/Maildir/", "{home}/Mailbox")
THREE = ("{home}/Mailbox", "{home}/Other", "{home}/Maildir/")


def places(directory: Path, templates: tuple[str, ...], kind: MailboxKind) -> Places:
    """Where a mailbox of this kind goes when it is converted."""
    site = SmallSite(directory, templates).make().add("ann", kind)
    wanted = MailboxKind.MBOX if kind is MailboxKind.MAILDIR else MailboxKind.MAILDIR
    return places_for(site.location("ann"), wanted, site.settings)


@pytest.mark.parametrize(
    ("templates", "kind", "earlier"),
    [
        (TEMPLATES, MailboxKind.MAILDIR, False),
        (TEMPLATES, MailboxKind.MBOX, True),
        (MBOX_AROUND, MailboxKind.MAILDIR, True),
        (MBOX_AROUND, MailboxKind.MBOX, False),
    ],
)
def test_it_is_known_whether_the_new_mailbox_is_found_at_once(
    tmp_path: Path, templates: tuple[str, ...], kind: MailboxKind, earlier: bool
) -> None:
    found = places(tmp_path, templates, kind)
    assert (found.source.kind, found.earlier) == (kind, earlier)
    assert found.target.path.parent == found.source.path.parent
    assert found.built == found.target.path.with_name(f"{found.target.path.name}.being-converted")


def test_without_a_template_of_the_kind_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="none of"):
        places(tmp_path, ("{home}/Mailbox",), MailboxKind.MBOX)


@pytest.mark.parametrize(("templates", "name"), [(MBOX_AROUND, "Maildir"), (THREE, "Other"), (THREE, "Maildir")])
def test_what_would_be_found_instead_is_in_the_way(tmp_path: Path, templates: tuple[str, ...], name: str) -> None:
    site = SmallSite(tmp_path, templates).make().add("ann", MailboxKind.MBOX)
    source = site.location("ann")
    source.path.with_name(name).mkdir()
    with pytest.raises(MailboxUnavailableError, match="in the way"):
        places_for(source, MailboxKind.MAILDIR, site.settings)


def test_places_are_found_by_their_state_names(tmp_path: Path) -> None:
    site = SmallSite(tmp_path).make().add("ann", MailboxKind.MAILDIR)
    source = site.location("ann")
    found = places_for(source, MailboxKind.MBOX, site.settings)
    names = found.source.state_name, found.target.state_name
    assert places_between(*names, source, site.settings) == found
    assert places_between(names[0], "other", source, site.settings) is None
    assert places_between("other", names[1], source, site.settings) is None


def test_a_kept_mailbox_takes_nobody_s_name(tmp_path: Path) -> None:
    path = tmp_path / "Mailbox"
    assert name_to_keep(path) == "Mailbox.before-convert"
    (tmp_path / "Mailbox.before-convert").touch()
    (tmp_path / "Mailbox.before-convert.2").symlink_to("nowhere")
    assert name_to_keep(path) == "Mailbox.before-convert.3"
