"""The link that a rehash leaves where a home was, and when to trust one.

``spool-rehash`` puts a home at its new place, and a symbolic link to it at the old one, in the same instant, so that
whoever still has the old place from ``assign.cdb`` finds the home. Links are not followed otherwise, because whoever
can make one could lead us anywhere. One is trusted if it is root's or the spool's (its owner is that of the spool
root) and leads to a place below the root; and the home behind it must be the user's, as any home.
"""

from __future__ import annotations

import os
from pathlib import Path


def way_up(directory: str, root: str) -> str:
    """Say what a link in a directory must begin with to lead to what is below a root: ``../../`` in ``ROOT/u/s``.

    So the root may be moved as a whole. If the directory is not below the root, or one between them is a link itself,
    to another disk perhaps, no such way leads back: then it is the whole path of the root.

    Args:
        directory: as an absolute path.
        root: as an absolute path, without a slash at its end.
    """
    whole = f"{root}/"
    if not f"{directory}/".startswith(whole):
        return whole
    way, place = "", directory
    while place != root:
        if os.path.islink(place):  # noqa: PTH114 - for each of very many homes
            return whole
        way, place = f"{way}../", place.rpartition("/")[0]
    return way


def home_behind(link: Path, root: Path) -> Path | None:
    """Say where a home was moved to, by the link in its place; None if there is no link that is to be trusted.

    Raises nothing: what cannot be looked at is no such link. What it names need not exist.
    """
    try:
        target = link.readlink()
        if link.lstat().st_uid not in {0, root.stat().st_uid}:
            return None
    except OSError:
        return None
    way = os.path.relpath(os.path.normpath(link.parent / target), os.path.normpath(root))
    return None if way == "." or way.split("/")[0] == ".." else root / way
