"""What a rehash would move, what is in its way, and where it would need room: all looked up before anything moves."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spool.assign import AssignRecord
from spool.control_files import Domains
from spool.errors import NoSuchUserError
from spool.layouts import LAYOUTS, layout_named
from spool.names import DomainName, UserName
from spool.progress import Progress, counted
from spool.rehash.directories import HashDirectories
from spool.rehash.evenness import Evenness, evenness_of_all
from spool.rehash.moves import Move, Trouble
from spool.rehash.outside import follows_hash, refused_templates
from spool.roster import Roster
from spool.settings import SpoolSettings
from spool.site import Site


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who shall be moved where.

    Attributes:
        to: the layout.
        users: these only, wherever their homes are; empty for all whose homes a layout has put where they are.
        domain: of these, those who belong to this local domain.
    """

    to: str
    users: frozenset[UserName] = frozenset()
    domain: DomainName | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole site is meant, users still to be made included."""
        return not self.users and self.domain is None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Homes that go from one file system to another, or stay on theirs.

    Attributes:
        source: a directory on the one.
        target: a directory on the other; where they are one, homes are renamed, and need no room.
        copied: whether homes must be copied.
        mailboxes: how many.
        octets: what their homes take on disk; None where nobody looked.
        free_octets: room on the target.
    """

    source: Path
    target: Path
    copied: bool
    mailboxes: int
    octets: int | None
    free_octets: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rehash would do.

    Attributes:
        to: the layout.
        users: of the site.
        moves: what is to be moved.
        in_place: users whose homes are where they belong.
        hand_placed: users whose homes no layout has put where they are; they are moved only if they are named.
        obstacles: why nothing may be moved yet.
        transfers: between which file systems.
        evenness: of every layout, for the users of this site.
    """

    to: str
    users: int
    moves: Sequence[Move]
    in_place: int
    hand_placed: int
    obstacles: Sequence[Trouble]
    transfers: Sequence[Transfer]
    evenness: Sequence[Evenness]


class Planner:
    """Plans rehashes of one site; changes nothing."""

    def __init__(self, site: Site, settings: SpoolSettings, directories: HashDirectories) -> None:
        self._site = site
        self._settings = settings
        self._directories = directories
        self._root = f"{str(settings.root).rstrip('/')}/"

    def plan(self, wanted: Wanted, progress: Progress, *, sizes: bool = False) -> Plan:
        """Look at every user.

        Args:
            wanted: who shall be moved where.
            progress: told of the mailboxes that are measured.
            sizes: measure the homes, which takes a look at every file.

        Raises:
            SpoolError: the assignments, or the lists of domains, cannot be read; a user that is named is none.
        """
        users = dict(Roster(self._site, self._settings).users())
        if unknown := wanted.users - users.keys():
            raise NoSuchUserError(f"no user {', '.join(sorted(map(str, unknown)))}")
        moves, in_place, hand_placed = self._sorted(wanted, users)
        return Plan(
            to=wanted.to,
            users=len(users),
            moves=moves,
            in_place=in_place,
            hand_placed=hand_placed,
            obstacles=tuple(self._obstacles(wanted, users, moves)),
            transfers=tuple(self._transfers(moves, progress, sizes=sizes)),
            evenness=evenness_of_all(users.keys()),
        )

    def _sorted(self, wanted: Wanted, users: Mapping[UserName, AssignRecord]) -> tuple[list[Move], int, int]:
        layout = layout_named(wanted.to)
        domains = Domains(self._site.domains)
        moves, in_place, hand_placed = [], 0, 0
        for user, record in users.items():
            if wanted.users and user not in wanted.users:
                continue
            if wanted.domain is not None and not domains.belongs(user, wanted.domain):
                continue
            new = layout.path(self._settings.root, user)
            if record.home == new:
                in_place += 1
            elif wanted.users or self._is_placed(user, str(record.home)):
                moves.append(Move(user, record.uid, record.gid, record.home, new))
            else:
                hand_placed += 1
        # By new directory, so that each is made and filled once.
        moves.sort(key=lambda move: str(move.new))
        return moves, in_place, hand_placed

    def _is_placed(self, user: UserName, home: str) -> bool:
        """Whether some layout puts the user's home where it is."""
        if not home.startswith(self._root) or not home.endswith(f"/{user}"):
            return False
        directory = home[len(self._root) : -len(user.text)].rstrip("/")
        mine = LAYOUTS[self._settings.layout]
        return directory == mine.directory(user) or any(
            directory == layout.directory(user) for layout in LAYOUTS.values() if layout is not mine
        )

    # -- obstacles ----------------------------------------------------------------------------------------------------

    def _obstacles(
        self, wanted: Wanted, users: Mapping[UserName, AssignRecord], moves: Sequence[Move]
    ) -> Iterator[Trouble]:
        yield from self._collisions(users, moves)
        for move in moves:
            # A link there is one of ours, which moving knows; if not, moving refuses this user alone.
            if os.path.lexists(move.new) and not os.path.islink(move.new):  # noqa: PTH114 - for each of very many
                yield Trouble(move.user, f"{move.new} is there already")
        for template in refused_templates(self._settings) if moves else ():
            yield Trouble(moves[0].user, f"and all: the Maildir {template} cannot be moved together with a home")
        if wanted.whole and wanted.to != self._settings.layout and any(map(follows_hash, self._settings.templates)):
            for user, record in users.items():
                if not str(record.home).startswith(self._root):
                    yield Trouble(user, f"{record.home} is not below {self._root}: there {{hash}} follows the setting")

    def _collisions(self, users: Mapping[UserName, AssignRecord], moves: Sequence[Move]) -> Iterator[Trouble]:
        """Find homes that are, or would be, at the same place as another or within one, before, after or meanwhile."""
        homes: dict[str, UserName] = {str(record.home): user for user, record in users.items()}
        for move in moves:
            other = homes.setdefault(str(move.new), move.user)
            if other != move.user:
                yield Trouble(move.user, f"{move.new} is the home of {other}")
        for place in list(homes) if moves else ():
            above = place.rpartition("/")[0]
            while len(above) > len(self._root):
                if above in homes:
                    yield Trouble(homes[place], f"{place} lies in {above}, a home of {homes[above]}")
                above = above.rpartition("/")[0]

    # -- file systems -------------------------------------------------------------------------------------------------

    def _transfers(self, moves: Collection[Move], progress: Progress, *, sizes: bool) -> Iterator[Transfer]:
        device = self._directories.device_below
        examples: dict[tuple[int, int], Move] = {}
        mailboxes: Counter[tuple[int, int]] = Counter()
        octets: Counter[tuple[int, int]] = Counter()
        for move in counted(moves, progress, "mailboxes measured", len(moves)) if sizes else moves:
            pair = (device(move.old_directory), device(move.new_directory))
            examples.setdefault(pair, move)
            mailboxes[pair] += 1
            if sizes:
                octets[pair] += octets_in(move.old)
        for pair, move in examples.items():
            target = next(each for each in move.new.parents if each.is_dir())
            free = os.statvfs(target)
            yield Transfer(
                source=move.old.parent,
                target=target,
                copied=pair[0] != pair[1],
                mailboxes=mailboxes[pair],
                octets=octets[pair] if sizes else None,
                free_octets=free.f_bavail * free.f_frsize,
            )


def octets_in(home: Path) -> int:
    """Add up what the files of a home take on disk; links are not followed, and what cannot be read counts nothing."""
    octets = 0
    with contextlib.suppress(OSError):
        for _, _, names, directory in os.fwalk(home):
            for name in names:
                octets += os.stat(name, dir_fd=directory, follow_symlinks=False).st_blocks * 512
    return octets
