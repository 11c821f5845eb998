"""Writing a whole new mailbox where nobody looks yet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from spool import durable
from spool.carrying.maildir_files import MaildirFiles, base_of
from spool.carrying.message import CarriedMessage, in_mbox
from spool.errors import MailboxUnavailableError
from spool.homes import make_mailbox
from spool.mailbox import MailboxKind, MailboxLocation
from spool.mailboxes import open_mailbox
from spool.maildir.directories import Part, open_directory
from spool.settings import SpoolSettings
from spool.state import state_file
from spool.unique_ids import UniqueIdFile, key_of_name


def write_mailbox(
    messages: Sequence[CarriedMessage],
    retired: Sequence[str],
    target: MailboxLocation,
    built: Path,
    settings: SpoolSettings,
) -> int:
    """Write a new mailbox, the unique-ids of its messages, and which ids nobody may have, and see that all is there.

    The mailbox is at ``built``, and the ids are where they are looked for when it is at its place. Holds when it
    returns; a crash before that leaves a part, for ``remove_built``.

    Returns:
        How many messages POP3 shows with other octets.

    Raises:
        MailboxChangedError: a message was changed meanwhile.
        SpoolError: it could not be written, or what is read from it is not what was to be written.
    """
    location = replace(target, path=built, found=True)
    with durable.storage_errors(built):
        make_mailbox(location)
        match target.kind:
            case MailboxKind.MAILDIR:
                keys = _write_maildir(messages, built)
            case MailboxKind.MBOX:
                keys = _write_mbox(messages, built, settings)
                durable.remove(state_file(target, ".read"))  # of a former mbox there; the messages are marked
            case _:
                assert_never(target.kind)
        durable.sync_directory(built.parent)
    by_key: dict[str, list[str]] = {}
    for key, message in zip(keys, messages, strict=True):
        by_key.setdefault(key, []).append(str(message.unique_id))
    unique_ids = UniqueIdFile(target)
    if retired:
        unique_ids.forget(retired)
    if by_key:
        unique_ids.import_ids(by_key)
    return _verify(messages, location, settings)


def remove_built(built: Path) -> None:
    """Remove a mailbox that nobody looks at, if there is one. Holds when it returns."""
    with durable.storage_errors(built):
        if built.is_dir() and not built.is_symlink():
            durable.remove_tree(built)
        elif durable.remove(built):
            durable.sync_directory(built.parent)


def _write_maildir(messages: Sequence[CarriedMessage], built: Path) -> Sequence[str]:
    files = MaildirFiles()
    with contextlib.ExitStack() as stack:
        directories = {part: open_directory(built, part.value) for part in Part}
        for descriptor in directories.values():
            stack.callback(os.close, descriptor)
        names = [files.write(message, directories) for message in messages]
        for descriptor in directories.values():
            durable.sync_file(descriptor)
    return [key_of_name(base_of(name)) for name in names]


def _write_mbox(messages: Sequence[CarriedMessage], built: Path, settings: SpoolSettings) -> Sequence[str]:
    keys: list[str] = []
    descriptor = durable.open_for_append(built)
    try:
        for piece in _mbox_pieces(messages, settings, keys):
            durable.write_all(descriptor, piece)
        durable.sync_file(descriptor)
    finally:
        os.close(descriptor)
    return keys


def _mbox_pieces(messages: Sequence[CarriedMessage], settings: SpoolSettings, keys: list[str]) -> Iterator[bytes]:
    for message in messages:
        yield from in_mbox(message, unquote=settings.mbox_unquote, keys=keys)


def _verify(messages: Sequence[CarriedMessage], location: MailboxLocation, settings: SpoolSettings) -> int:
    maildrop = open_mailbox(location, settings).open_maildrop()
    try:
        if list(maildrop.unique_ids) != [message.unique_id for message in messages]:
            raise MailboxUnavailableError(f"{location.path}: what was written does not read as it should")
        sizes = zip(maildrop.wire_octets, messages, strict=True)
        return sum(octets != message.wire_octets for octets, message in sizes)
    finally:
        maildrop.close()
