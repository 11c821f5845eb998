"""One unique name twice: in ``new`` and in ``cur``, or in ``cur`` with different flags.

The format forbids it, but a crash while a message is moved on some file systems, a restored backup, or a deliverer
that makes a name twice can leave it. Left alone, such a message would show once, and again after its removal; and if
the two are different messages, the other one would come under a unique-id that the client has done with. So the session
that finds it mends it, before anything is listed:

- two names of one file, or two files of the same octets: the earlier name goes;
- two different messages: the earlier one gets a new name, and so a unique-id of its own.

What another program moves meanwhile is left alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from itertools import zip_longest

from spool.maildir.directories import Found, MessageDirectories, Place, read_pieces


def mend_duplicates(directories: MessageDirectories, found: Found, make_name: Callable[[], str]) -> bool:
    """See that each base is that of one file; ``found.places`` is changed accordingly. The caller has the session lock.

    A new name is on disk when it returns. A crash before that leaves what was there or what shall be; an octet-equal
    copy that was removed may come back, to be removed again.

    Args:
        directories: of the Maildir.
        found: a look at its names.
        make_name: makes a name that no message has.

    Returns:
        Whether all was well in the end: trouble with one message leaves it for another session.
    """
    well = True
    for base, earlier in found.second_places:
        try:
            _mend(directories, found, make_name, base, earlier)
        except FileNotFoundError:
            continue  # moved or removed meanwhile
        except OSError:
            well = False
    return well


def _mend(
    directories: MessageDirectories, found: Found, make_name: Callable[[], str], base: str, earlier: Place
) -> None:
    later = found.places[base]
    status, other = directories.stat(base, earlier), directories.stat(base, later)
    if os.path.samestat(status, other):
        if status.st_nlink > 1:  # else it was moved between the two looks
            directories.remove(base, earlier)
    elif status.st_size == other.st_size and _equal(directories, base, earlier, later):
        directories.remove(base, earlier)
    else:
        new_base = make_name()
        directories.rename(base, earlier, new_base)
        directories.sync(earlier.part)
        found.places[new_base] = earlier


def _equal(directories: MessageDirectories, base: str, one: Place, other: Place) -> bool:
    with _opened(directories, base, one) as first, _opened(directories, base, other) as second:
        # Should the two be cut differently, equal messages would both stay, no more.
        return all(piece == other for piece, other in zip_longest(read_pieces(first), read_pieces(second)))


@contextlib.contextmanager
def _opened(directories: MessageDirectories, base: str, place: Place) -> Iterator[int]:
    descriptor = directories.open_file(base, place)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
