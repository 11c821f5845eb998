"""What of a tree of files is on disk, and what a power cut could still undo.

A **node** is a file, directory or symbolic link. Its octets and its names hold apart from each other: octets from the
sync of the file, names from the sync of the directory they are in. What is not synced is kept as a list of changes, and
``Shadow.cut`` makes the real tree what a disk could hold after a power cut: what is synced, and of the other changes
those that a ``Fates`` lets come through.

**What is independent.** Each change of a name and each write. So a file may have a name and no octets yet (ext4
allocates late), one name may be gone while another that came before is not there, a later write may be on disk before
an earlier one. Some things are not torn apart, because no file system in use does it: a rename within one directory, a
rename of a directory, and an exchange are one change, which holds from the sync of all directories concerned. A file's
rename to another directory may leave both names, and leaves none only if the directory of the old name was synced
before that of the new one.

**What is not modelled.** Modes, owners and times set on purpose hold at once. Octets never get mixed with those of
other files. Files that something else than ``spool.durable`` makes meanwhile, locks and scratch files, are gone.
"""

from __future__ import annotations

import enum
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

Inode = tuple[int, int]


class Fate(enum.Enum):
    """What becomes of octets that were written and not synced."""

    KEPT = "kept"
    LOST = "lost"
    ZEROS = "zeros"
    """Only that the file became longer is kept, as by XFS: where nothing was before, there are zeros."""


@dataclass(frozen=True, slots=True)
class Fates:
    """Decides, change by change, what came through: whether a change of a name did, and what became of a write."""

    name: Callable[[], bool]
    octets: Callable[[], Fate]


class _Write(NamedTuple):
    offset: int
    data: bytes


class _Truncation(NamedTuple):
    octets: int


@dataclass(eq=False, slots=True)
class Node:
    """A file, directory or symbolic link.

    Attributes:
        status: as last looked at.
        target: of a symbolic link.
        names: of a directory, as on disk.
        octets: of a file as on disk, while ``changes`` of it are not synced or it has no name any more; else None, and
            the real file has them.
        changes: of a file's octets, not synced, in their order.
    """

    status: os.stat_result
    target: str | None = None
    names: dict[str, Node] = field(default_factory=dict)
    octets: bytes | None = None
    changes: list[_Write | _Truncation] = field(default_factory=list)

    @property
    def is_directory(self) -> bool:
        """Whether it has names and no octets."""
        return stat.S_ISDIR(self.status.st_mode)


class Entry(NamedTuple):
    """A name in a directory."""

    directory: Node
    name: str


@dataclass(eq=False, slots=True)
class NameChange:
    """A change of names that is not torn apart: what each entry leads to afterwards, None if to nothing.

    ``needs`` is a change without which this one does not get to the disk by itself, ``unsynced`` the directories that
    must be synced for it to hold.
    """

    entries: dict[Entry, Node | None]
    needs: NameChange | None = None
    unsynced: set[Node] = field(init=False)

    def __post_init__(self) -> None:
        self.unsynced = {entry.directory for entry in self.entries}


class Shadow:
    """A tree below ``root`` that is on disk as it is, and what is changed in it from then on."""

    def __init__(self, root: Path) -> None:
        self._root: Final = root
        self._nodes: dict[Inode, Node] = {}
        self._unsynced: list[NameChange] = []
        self._top: Final = self._scan(root)

    # -- what happens -------------------------------------------------------------------------------------------------

    def find(self, status: os.stat_result) -> Node | None:
        """Return the node with this status, None if it is not in the tree."""
        return self._nodes.get(_inode(status))

    def add(self, status: os.stat_result, *, target: str | None = None) -> Node:
        """Take up a node that was made: a file without octets, an empty directory, a link. It has no name yet."""
        self._nodes[_inode(status)] = node = Node(status, target)
        if stat.S_ISREG(status.st_mode):
            node.octets = b""
        return node

    def change_names(self, change: NameChange) -> None:
        """Note a change of names."""
        self._unsynced.append(change)

    def before_writing(self, node: Node, present: Callable[[], bytes], status: os.stat_result) -> None:
        """Remember a file's octets and times as they are on disk, before the first change of them, or before they go.

        Args:
            node: the file.
            present: reads its octets as they are now.
            status: its status now.
        """
        if node.octets is None:
            node.octets = present()
            node.status = status

    def write(self, node: Node, offset: int, data: bytes) -> None:
        """Note a write to a file."""
        node.changes.append(_Write(offset, data))

    def truncate(self, node: Node, octets: int) -> None:
        """Note that a file was cut, or became longer by zeros."""
        node.changes.append(_Truncation(octets))

    def sync_octets(self, node: Node, present: Callable[[], bytes], status: os.stat_result) -> None:
        """Note that a file was synced."""
        node.changes.clear()
        node.status = status
        node.octets = present() if status.st_nlink == 0 else None

    def sync_names(self, directory: Node) -> None:
        """Note that a directory was synced."""
        for change in list(self._unsynced):
            change.unsynced.discard(directory)
            if not change.unsynced:
                self._hold(change)

    def sync_all(self) -> None:
        """Note that everything was synced."""
        for change in list(self._unsynced):
            self._hold(change)
        for node in self._nodes.values():
            if node.octets is not None and node.status.st_nlink:
                node.changes.clear()
                node.octets = None

    # -- the power cut ------------------------------------------------------------------------------------------------

    def cut(self, fates: Fates) -> None:
        """Make the real tree what the disk holds after a power cut now. Nothing can be noted afterwards."""
        dropped: set[NameChange] = set()
        for change in list(self._unsynced):
            if fates.name() and change.needs not in dropped:
                self._hold(change)
            else:
                dropped.add(change)
        aside = self._root.with_name(f".{self._root.name}.cut")
        aside.mkdir()
        taken_out = dict(self._take_out(aside))
        self._put_back(self._top, self._root, taken_out, {}, fates)
        shutil.rmtree(aside)

    def _hold(self, change: NameChange) -> None:
        """Let a change be on disk; what older ones say of the same entries is out of date then."""
        for entry, node in change.entries.items():
            if node is None:
                entry.directory.names.pop(entry.name, None)
            else:
                entry.directory.names[entry.name] = node
        position = self._unsynced.index(change)
        del self._unsynced[position]
        for older in self._unsynced[:position]:
            for entry in change.entries:
                older.entries.pop(entry, None)

    def _take_out(self, aside: Path) -> Iterator[tuple[Node, Path]]:
        """Move everything out of the tree; yield where each node's real file, link or empty directory is."""
        seen: set[Node] = set()
        for parent, directories, files in os.walk(self._root, topdown=False):
            for name in (*files, *directories):
                path = Path(parent, name)
                node = self.find(path.lstat())
                if node is not None and node not in seen:
                    seen.add(node)
                    yield node, path.rename(aside / str(len(seen)))
                elif path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()

    def _put_back(
        self, directory: Node, path: Path, taken_out: dict[Node, Path], placed: dict[Node, Path], fates: Fates
    ) -> None:
        for name, node in directory.names.items():
            place = path / name
            if node in placed:
                os.link(placed[node], place, follow_symlinks=False)  # its second name
                continue
            placed[node] = place
            if node in taken_out:
                taken_out[node].rename(place)
            else:
                _make(node, place)
            if node.is_directory:
                self._put_back(node, place, taken_out, placed, fates)
            elif node.octets is not None:
                _fill(node, place, fates)

    def _scan(self, path: Path) -> Node:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            node = Node(status, str(path.readlink()))
        elif stat.S_ISDIR(status.st_mode):
            node = Node(status, names={each.name: self._scan(each) for each in path.iterdir()})
        else:
            node = self._nodes.get(_inode(status)) or Node(status)
        self._nodes[_inode(status)] = node
        return node


def _make(node: Node, place: Path) -> None:
    if node.target is not None:
        place.symlink_to(node.target)
        return
    if node.is_directory:
        place.mkdir()
    else:
        place.touch()
    place.chmod(stat.S_IMODE(node.status.st_mode))
    os.chown(place, node.status.st_uid, node.status.st_gid)


def _fill(node: Node, place: Path, fates: Fates) -> None:
    changed_ns = place.lstat().st_mtime_ns
    octets = bytearray(node.octets or b"")
    for change in node.changes:
        _apply(octets, change, fates.octets())
    place.write_bytes(octets)
    # The time of a file gets to the disk on its own, and may say more or less than its octets.
    kept = node.changes and fates.octets() is not Fate.LOST
    os.utime(place, ns=(node.status.st_atime_ns, changed_ns if kept else node.status.st_mtime_ns))


def _apply(octets: bytearray, change: _Write | _Truncation, fate: Fate) -> None:
    match change, fate:
        case _, Fate.LOST:
            pass
        case _Truncation(length), _:
            del octets[length:]
            octets.extend(bytes(length - len(octets)))
        case _Write(offset, data), _:
            octets.extend(bytes(max(0, offset + len(data) - len(octets))))
            if fate is Fate.KEPT:
                octets[offset : offset + len(data)] = data


def _inode(status: os.stat_result) -> Inode:
    return status.st_dev, status.st_ino
