"""The stage of an mbox: a file in the state directory, which is appended as one batch (``spool.mbox.batch``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from spool import durable
from spool.carrying.from_mbox import records_of
from spool.carrying.message import CarriedMessage, in_mbox
from spool.carrying.stage import Staged
from spool.mailbox import MailboxLocation
from spool.mbox.batch import last_line
from spool.mbox.mailbox import MboxMailbox
from spool.session_lock import SessionLock
from spool.settings import SpoolSettings
from spool.state import make_state_directory, state_file
from spool.unique_ids import UniqueIdFile


class MboxStage:
    """The stage of one mbox (``spool.carrying.stage.Stage``)."""

    def __init__(self, location: MailboxLocation, settings: SpoolSettings) -> None:
        self._location = location
        self._unquote = settings.mbox_unquote
        self._mailbox = MboxMailbox(location, settings)
        self._path = state_file(location, ".mbox-arriving")

    def write(self, messages: Iterable[CarriedMessage]) -> Sequence[Staged]:
        """Write messages to one file (``spool.carrying.stage.Stage.write``)."""
        make_state_directory(self._location)
        keys: list[str] = []
        unique_ids: list[str | None] = []
        with durable.storage_errors(self._path):
            durable.create_file(self._path, itertools.chain(self._stored(messages, unique_ids, keys), [last_line()]))
            durable.sync_directory(self._path.parent)
        return [Staged(None, key, unique_id) for key, unique_id in zip(keys, unique_ids, strict=True)]

    def publish(self, staged: Sequence[Staged]) -> None:
        """Append the file to the mbox (``spool.carrying.stage.Stage.publish``).

        If messages keep ids, the session lock is held, for the ids that the present messages have must be known.
        """
        pairs = [(message.key, message.unique_id) for message in staged if message.unique_id is not None]
        if not pairs or not self._path.exists():
            self._mailbox.append_batch(self._path)
            return
        lock = SessionLock(self._location)
        try:
            UniqueIdFile(self._location).add_ids(pairs, self._keys())
            self._mailbox.append_batch(self._path)
        finally:
            lock.release()

    def clear(self) -> None:
        """Remove the file (``spool.carrying.stage.Stage.clear``)."""
        with durable.storage_errors(self._path):
            if self._path.parent.exists() and durable.remove(self._path):
                durable.sync_directory(self._path.parent)

    def _stored(
        self, messages: Iterable[CarriedMessage], unique_ids: list[str | None], keys: list[str]
    ) -> Iterator[bytes]:
        for message in messages:
            yield from in_mbox(message, unquote=self._unquote, keys=keys)
            unique_ids.append(message.unique_id)

    def _keys(self) -> Sequence[str]:
        with durable.storage_errors(self._location.path):
            try:
                with self._mailbox.locked() as mbox:
                    found = records_of(mbox.descriptor, first=0, unquote=False, keep_alive=mbox.keep_alive)
                    return [message.measure.key for message in found]
            except FileNotFoundError:
                return ()
