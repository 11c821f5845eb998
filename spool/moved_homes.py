"""The link that a rehash leaves where a home was, and when to trust one.

``spool-rehash`` puts a home at its new place, and a symbolic link to it at the old one, in the same instant, so that
whoever still has the old place from ``assign.cdb`` finds the home. Links are not followed otherwise, because whoever
can make one could lead us anywhere. One is trusted if it is root's or the spool's (its owner is that of the spool
root) and leads to a place below the root; and the home behind it must be the user's, as any home.
"""

from __future__ import annotations

import os
from pathlib import Path


def link_text(place: Path, home: Path, root: Path) -> str:
    """Say what a link at ``place`` to ``home`` must hold: the way from one to the other, so that the root may be moved.

    If a directory between the root and the place is a link itself, to another disk perhaps, no such way leads back:
    then it is the whole path.
    """
    if root not in place.parents:
        return str(home)
    directories = place.parent.relative_to(root)
    real = os.path.realpath(root)
    if os.path.realpath(place.parent) != os.path.normpath(f"{real}/{directories}") or root not in home.parents:
        return str(home)
    return os.path.relpath(home, place.parent)


def home_behind(link: Path, root: Path) -> Path | None:
    """Say where a home was moved to, by the link in its place; None if there is no link that is to be trusted.

    Raises nothing: what cannot be looked at is no such link. What it names need not exist.
    """
    try:
        target = link.readlink()
        owner = link.lstat().st_uid
        if owner not in {0, root.stat().st_uid}:
            return None
    except OSError:
        return None
    way = os.path.relpath(os.path.normpath(link.parent / target), os.path.normpath(root))
    return None if way == "." or way.split("/")[0] == ".." else root / way
