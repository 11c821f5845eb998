"""Ids asked of the old server while it still runs, and told apart by the size and the header of each message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from spool.foreign_ids.credentials import Credentials
from spool.foreign_ids.matching import header_digest, pair
from spool.foreign_ids.old_mailbox import FoundIds, OldMailbox
from spool.foreign_ids.old_server import OldServer
from spool.names import UserName


class _Entry(NamedTuple):
    unique_id: str
    wire_octets: int | None
    header_digest: bytes | None


@dataclass(frozen=True, slots=True)
class LiveIds:
    """What the old server told of one user's maildrop.

    Messages are paired that have the same size and header. Sizes may differ where a server counts what it keeps in
    headers (qpopper, UW): what that leaves is paired by the header alone.
    """

    entries: tuple[_Entry, ...]

    def __call__(self, mailbox: OldMailbox) -> FoundIds:
        """Find the ids."""
        digests = []
        for message in mailbox.messages:
            header = message.head().header
            digests.append(None if header is None else header_digest(header))
        partners = pair(
            [
                None if digest is None else (message.wire_octets(), digest)
                for message, digest in zip(mailbox.messages, digests, strict=True)
            ],
            [None if entry.header_digest is None else entry[1:] for entry in self.entries],
        )
        taken = set(partners)
        by_header = pair(
            [digest if partner is None else None for digest, partner in zip(digests, partners, strict=True)],
            [None if position in taken else entry.header_digest for position, entry in enumerate(self.entries)],
        )
        found = [by_header[position] if partner is None else partner for position, partner in enumerate(partners)]
        return [None if partner is None else self.entries[partner].unique_id for partner in found]


def ask(server: OldServer, credentials: Credentials, user: UserName) -> LiveIds:
    """Log in as a user, and ask for the size, the id and the header of each message.

    Takes one round trip a message. Nothing is retrieved, marked or deleted.

    Raises:
        ForeignIdsError: the server does not let us in, or does not answer.
    """
    with server.session(credentials.login(user)) as session:
        sizes = session.sizes()
        entries = []
        for number, unique_id in sorted(session.unique_ids().items()):
            header = session.header(number)
            entries.append(_Entry(unique_id, sizes.get(number), None if header is None else header_digest(header)))
    return LiveIds(tuple(entries))
