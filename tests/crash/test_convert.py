"""A conversion that is broken off: at every moment the mailbox is found whole, and running again completes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spool.converting.converter import convert_mailboxes
from spool.converting.options import Action, Converted, ConvertOptions, Outcome
from spool.mailbox import MailboxKind
from spool.progress import NoProgress
from tests.crash.losing import each_power_cut
from tests.crash.stopping import each_stop
from tests.one_user import on_the_wire
from tests.small_site import SmallSite

EQUAL = b"Subject: equal\n\nthe same\n"
MAIL = [b"Subject: one\n\nFrom the first\n", EQUAL, b"", EQUAL, b"Subject: no line end\n\n\0end"]
ARRIVING = b"Subject: arriving\n\nmeanwhile\n"
LATE = b"Subject: late\n\ninto the former mailbox\n"

# Either order of templates, so that the new mailbox is found before the old one is away, or only then.
TEMPLATES = (("{home}/Maildir/", "{home}/Mailbox"), ("{home}/Mailbox", "{home}/Maildir/"))


def convert(site: SmallSite, action: Action) -> Converted:
    converted = convert_mailboxes(site.site, site.settings, ConvertOptions(action), NoProgress(), uid_min=0)
    assert [user.outcome for user in converted.users] in ([Outcome.DONE], [Outcome.NOTHING]), converted
    return converted


def other(kind: MailboxKind) -> Action:
    return Action.TO_MBOX if kind is MailboxKind.MAILDIR else Action.TO_MAILDIR


def prepared(directory: Path, kind: MailboxKind, templates: tuple[str, ...], number: int) -> SmallSite:
    site = SmallSite(directory / str(number), templates).make().add("ann", kind)
    site.deliver("ann", *MAIL)
    site.session("ann", deleted={2}, retrieved={1})
    site.deliver("ann", EQUAL)
    site.messages("ann")  # an id that is seen from now on
    return site


@pytest.fixture(params=TEMPLATES, ids=["maildir-first", "mbox-first"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path, kind: MailboxKind) -> Callable[[int], SmallSite]:
    """Makes a site of one user with mail; the same each time but for the names in a Maildir."""
    return partial(prepared, tmp_path, kind, request.param)


def arranged(kind: MailboxKind) -> Callable[[SmallSite], Callable[[], object]]:
    def arrange(site: SmallSite) -> Callable[[], object]:
        (site.directory / "before").write_text(repr(site.messages("ann")))
        return partial(convert, site, other(kind))

    return arrange


def before(site: SmallSite) -> str:
    return (site.directory / "before").read_text()


def test_at_every_moment_the_mailbox_is_found_whole_and_running_again_completes_it(
    fresh: Callable[[int], SmallSite], kind: MailboxKind
) -> None:
    for stopped in each_stop(fresh, arranged(kind)):
        site = stopped.state
        assert repr(site.messages("ann")) == before(site), stopped
        assert site.last_accessed("ann") == 1, stopped
        if stopped.allowed % 3 and not stopped.completed:
            continue  # the whole of it at every third place is enough
        convert(site, other(kind))
        assert repr(site.messages("ann")) == before(site), stopped
        assert site.location("ann").kind is not kind, stopped
        assert list(site.location("ann").home.glob("*.being-converted")) == [], stopped


def test_mail_that_comes_after_the_stop_is_there_once(fresh: Callable[[int], SmallSite], kind: MailboxKind) -> None:
    for stopped in each_stop(fresh, arranged(kind), step=7):
        site = stopped.state
        site.deliver("ann", ARRIVING)
        site.session("ann", deleted={2})
        expected = site.messages("ann")
        assert len(expected) == len(MAIL), stopped
        convert(site, other(kind))
        assert site.messages("ann") == expected, stopped


def test_taking_over_late_mail_can_be_stopped_anywhere(fresh: Callable[[int], SmallSite], kind: MailboxKind) -> None:
    def with_late_mail(number: int) -> SmallSite:
        site = fresh(number)
        former = site.location("ann")
        convert(site, other(kind))
        (site.directory / "before").write_text(repr(site.octets("ann")))
        kept = former.path.with_name(f"{former.path.name}.before-convert")
        if kind is MailboxKind.MAILDIR:
            (kept / "new" / "9.late.host").write_bytes(LATE)
        else:
            with kept.open("ab") as file:
                file.write(b"From late@example.org Thu Jan  1 00:00:00 2026\n" + LATE + b"\n")
        return site

    for stopped in each_stop(with_late_mail, lambda site: partial(convert, site, other(kind)), step=3):
        site = stopped.state
        convert(site, other(kind))
        octets = site.octets("ann")
        assert octets.count(on_the_wire(LATE)) == 1, stopped
        octets.remove(on_the_wire(LATE))
        assert repr(octets) == before(site), stopped


def test_a_power_cut_loses_and_doubles_nothing(fresh: Callable[[int], SmallSite], kind: MailboxKind) -> None:
    for cut in each_power_cut(fresh, arranged(kind), root=lambda site: site.directory, step=19):
        site = cut.state
        assert repr(site.messages("ann")) == before(site), cut
        convert(site, other(kind))
        assert repr(site.messages("ann")) == before(site), cut
