"""The stage of a Maildir: a directory inside of it, from which files are renamed into ``new`` and ``cur``.

Not in ``tmp``, which every mail reader sweeps: a file that was swept would look like one that was delivered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from spool import durable
from spool.carrying.maildir_files import MaildirFiles, base_of, part_of
from spool.carrying.message import CarriedMessage
from spool.carrying.stage import Staged
from spool.mailbox import MailboxLocation
from spool.maildir.directories import MessageDirectories, Part, open_directory
from spool.quota.ledger import Ledger
from spool.quota.maildir_size import MAILDIRSIZE
from spool.unique_ids import UniqueIdFile, key_of_name

STAGE_NAME: Final = "mailspool-arriving"


class MaildirStage:
    """The stage of one Maildir (``spool.carrying.stage.Stage``)."""

    def __init__(self, location: MailboxLocation) -> None:
        self._location = location

    def write(self, messages: Iterable[CarriedMessage]) -> Sequence[Staged]:
        """Write messages to the stage (``spool.carrying.stage.Stage.write``)."""
        with durable.storage_errors(self._location.path):
            with self._maildir() as maildir, contextlib.suppress(FileExistsError):
                durable.make_directory(maildir / STAGE_NAME)
            with self._directory(STAGE_NAME) as stage:
                files = MaildirFiles()
                names = [(files.write(message, dict.fromkeys(Part, stage)), message.unique_id) for message in messages]
                durable.sync_file(stage)
        return [Staged(name, key_of_name(base_of(name)), unique_id) for name, unique_id in names]

    def publish(self, staged: Sequence[Staged]) -> None:
        """Rename what is on the stage into ``new`` and ``cur`` (``spool.carrying.stage.Stage.publish``)."""
        with contextlib.ExitStack() as stack, durable.storage_errors(self._location.path):
            try:
                stage = stack.enter_context(self._directory(STAGE_NAME))
            except FileNotFoundError:
                return
            parts = {part: stack.enter_context(self._directory(part.value)) for part in Part}
            waiting = {entry.name for entry in Path(f"/proc/self/fd/{stage}").iterdir()}
            there = self._bases()
            arriving = [message for message in staged if message.name in waiting]
            self._give_ids(arriving, there)
            for message in arriving:
                name = str(message.name)
                if base_of(name) in there:
                    durable.remove(name, dir_fd=stage)  # a power cut between two syncs may leave both names
                else:
                    durable.rename(name, name, source_dir_fd=stage, target_dir_fd=parts[part_of(name)])
            for directory in (*parts.values(), stage):
                durable.sync_file(directory)
            Ledger(self._location.path / MAILDIRSIZE).discard()  # what has come is counted by who wants to know
        self.clear()

    def clear(self) -> None:
        """Remove the stage (``spool.carrying.stage.Stage.clear``)."""
        with durable.storage_errors(self._location.path), self._maildir() as maildir:
            durable.remove_tree(maildir / STAGE_NAME)

    def _give_ids(self, arriving: Sequence[Staged], there: Collection[str]) -> None:
        pairs = [(message.key, message.unique_id) for message in arriving if message.unique_id is not None]
        if pairs:
            UniqueIdFile(self._location).add_ids(pairs, [key_of_name(base) for base in there])

    def _bases(self) -> Collection[str]:
        directories = MessageDirectories(self._location.path)
        try:
            return directories.scan().places
        finally:
            directories.close()

    @contextlib.contextmanager
    def _maildir(self) -> Iterator[Path]:
        """Open the Maildir itself, and name it so that what is below is below it, whatever happens to its names."""
        with self._directory(".") as descriptor:
            yield Path(f"/proc/self/fd/{descriptor}")

    @contextlib.contextmanager
    def _directory(self, name: str) -> Iterator[int]:
        descriptor = open_directory(self._location.path, name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
