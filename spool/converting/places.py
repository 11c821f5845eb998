"""Where a converted mailbox goes, so that everybody finds it from one instant on.

Of the templates in ``[spool] maildrop`` the first that exists is the mailbox. So there are two ways. The new mailbox
goes to an earlier template than the old one: it is found as soon as it is there. Or it goes to a later one: then it is
found as soon as the old one is away, if nothing lies at a template in between. Either way the new one is put into its
place first, and then the old one away.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.errors import MailboxUnavailableError
from spool.homes import location_of_kind, possible_locations
from spool.mailbox import MailboxKind, MailboxLocation
from spool.settings import SpoolSettings

_BUILT: Final = ".being-converted"
_KEPT: Final = ".before-convert"


@dataclass(frozen=True, slots=True)
class Places:
    """The old mailbox and the new one.

    Attributes:
        source: the old one.
        target: the new one, where it shall be.
        earlier: whether the new one is found while the old one is still in its place.
    """

    source: MailboxLocation
    target: MailboxLocation
    earlier: bool

    @property
    def built(self) -> Path:
        """Where the new mailbox is while it is being written."""
        return self.target.path.with_name(self.target.path.name + _BUILT)


def places_for(source: MailboxLocation, kind: MailboxKind, settings: SpoolSettings) -> Places:
    """Say where a mailbox goes that is converted to a kind.

    Raises:
        RosterError: no template is for the kind.
        MailboxUnavailableError: something is in the way.
    """
    owner = {"uid": source.uid, "gid": source.gid}
    target = location_of_kind(kind, source.user, **owner, home=source.home, settings=settings)
    locations = possible_locations(source.user, **owner, home=source.home, settings=settings)
    places = _places(source, target, locations)
    first, last = sorted((locations.index(source), locations.index(target)))
    for location in locations[first : last + 1]:
        if location != source and os.path.lexists(location.path):
            raise MailboxUnavailableError(f"{location.path}: is in the way of a new mailbox; move it away first")
    return places


def places_between(source: str, target: str, location: MailboxLocation, settings: SpoolSettings) -> Places | None:
    """Say where two mailboxes lie of which the state names are known; None if no template leads to one any more."""
    locations = possible_locations(
        location.user, uid=location.uid, gid=location.gid, home=location.home, settings=settings
    )
    by_name = {one.state_name: one for one in locations}
    if source not in by_name or target not in by_name:
        return None
    return _places(by_name[source], by_name[target], locations)


def name_to_keep(source: Path) -> str:
    """Find a free name beside a mailbox for keeping it."""
    name, number = source.name + _KEPT, 1
    while os.path.lexists(source.with_name(name)):
        number += 1
        name = f"{source.name}{_KEPT}.{number}"
    return name


def _places(source: MailboxLocation, target: MailboxLocation, locations: tuple[MailboxLocation, ...]) -> Places:
    return Places(source, target, earlier=locations.index(target) < locations.index(source))
