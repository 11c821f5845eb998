"""The switch from one mailbox to another, and what is left of it after a crash."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from spool import durable
from spool.converting.places import Places
from spool.converting.record import Conversion
from spool.converting.writing import remove_built
from spool.mailbox import MailboxKind
from spool.mbox.mailbox import MboxMailbox
from spool.settings import SpoolSettings


def switch(places: Places, conversion: Conversion) -> None:
    """Put the new mailbox into its place, and the old one away.

    At one instant everybody finds the new one (``spool.converting.places``). Holds when it returns; a crash before that
    leaves it to ``finish_switch``.

    Raises:
        SpoolError: of the disk; as after a crash.
    """
    with durable.storage_errors(places.target.path):
        durable.rename(places.built, places.target.path)
        durable.sync_directory(places.target.path.parent)
    _put_away(places, conversion)


def finish_switch(places: Places, conversion: Conversion, settings: SpoolSettings) -> bool:
    """Finish a switch that a crash interrupted, or undo it if nobody has found the new mailbox yet.

    Holds when it returns; a crash before that leaves it to be called again.

    Returns:
        Whether the new mailbox is in use.

    Raises:
        SpoolError: it could not be done.
    """
    source, target = places.source.path, places.target.path
    if os.path.lexists(source.with_name(conversion.kept)):
        _put_away(places, conversion)
        return True
    if os.path.lexists(places.built) or not os.path.lexists(target):
        remove_built(places.built)
        return False
    if places.earlier:
        # Mail may have come to the old one meanwhile; whoever delivers there has the locks now, or looks again.
        with contextlib.ExitStack() as stack, durable.storage_errors(source):
            if places.source.kind is MailboxKind.MBOX:
                stack.enter_context(MboxMailbox(replace(places.source, found=True), settings).locked())
            _put_away(places, conversion)
        return True
    with durable.storage_errors(target):
        durable.rename(target, places.built)
        durable.sync_directory(target.parent)
    remove_built(places.built)
    return False


def _put_away(places: Places, conversion: Conversion) -> None:
    source = places.source.path
    kept = source.with_name(conversion.kept)
    with durable.storage_errors(source):
        if not os.path.lexists(kept):
            durable.rename(source, kept)
        durable.sync_directory(source.parent)
