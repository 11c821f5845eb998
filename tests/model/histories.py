"""A mailbox's history as a state machine: what happens to it, beside a list of what must be in it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spool.errors import MailboxChangedError
from spool.mailbox import Mailbox, MailboxLocation, Maildrop
from spool.wire import wire_pieces
from tests.model.foreign import ForeignProgram, foreign_program
from tests.one_user import Message, read

bodies = st.lists(
    st.sampled_from(
        [b"text\n", b"From a line\n", b">From a line\n", b".\n", b"\n", b"a\r\n", b"b\rc\n", b"no line end"]
    ),
    max_size=6,
).map(b"".join)
numbers = st.sets(st.integers(1, 12))


class ModelUser(Protocol):
    """The user whose mailbox a history is about, as ``tests.one_user.OneUser`` and sites have one."""

    @property
    def location(self) -> MailboxLocation:
        """Where the mailbox is now."""

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox, as a process that begins now would open it."""

    def deliver(self, *messages: bytes) -> object:
        """Deliver messages."""

    def messages(self) -> list[Message]:
        """All messages, read in a session that changes nothing."""


@dataclass(eq=False, slots=True)
class Known:
    """A message the mailbox must hold. Its unique-id is known once a session has seen it."""

    stored: bytes
    wire: bytes
    unique_id: str | None = None


class History(RuleBasedStateMachine):
    """Plays one history on one mailbox, at most one session at a time, against a list of what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.user = self.make_user(Path(self.directory.name))
        self.expected: list[Known] = []
        self.retired: set[str] = set()
        self.serial = 0
        self.maildrop: Maildrop | None = None
        self.snapshot: Sequence[Known] = ()
        self.rewritten = False

    def make_user(self, directory: Path) -> ModelUser:
        """Make a user with an empty mailbox below a directory."""
        raise NotImplementedError

    @property
    def foreign(self) -> ForeignProgram:
        """A program that works on the mailbox as it is now."""
        return foreign_program(self.user.location)

    def teardown(self) -> None:
        if self.maildrop is not None:
            self.maildrop.close()
        self.directory.cleanup()

    # -- mail arrives -------------------------------------------------------------------------------------------------

    @rule(body=bodies)
    def deliver(self, body: bytes) -> None:
        self._deliver(self._header() + body)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def deliver_an_equal_message(self, data: st.DataObject) -> None:
        self._deliver(data.draw(st.sampled_from(self.expected)).stored)

    @rule(data=st.data())
    def foreign_delivery(self, data: st.DataObject) -> None:
        message = self._header() + b"from another program\n"
        self.foreign.add(message, data.draw(st.sampled_from(self.foreign.manners)))
        self._expect(message)

    def _header(self) -> bytes:
        self.serial += 1
        return b"Subject: message %d\n\n" % self.serial

    def _deliver(self, message: bytes) -> None:
        self.user.deliver(message)
        self._expect(message)

    def _expect(self, message: bytes) -> None:
        self.expected.append(Known(message, b"".join(wire_pieces([message]))))

    # -- other programs -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self._foreseeable())
    @rule(data=st.data())
    def foreign_removal(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self._foreseeable()))
        self.foreign.remove(self.expected.index(message), message.wire)
        self.expected.remove(message)
        self.rewritten = self.foreign.rewrites

    @precondition(lambda self: self._foreseeable())
    @rule(data=st.data())
    def foreign_mark(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self._foreseeable()))
        self.foreign.mark(self.expected.index(message), message.wire)
        self.rewritten = self.foreign.rewrites

    def _foreseeable(self) -> list[Known]:
        """Messages that a session has seen and that have no equal ones: which copy went, an mbox does not tell."""
        wires = [message.wire for message in self.expected]
        return [message for message in self.expected if message.unique_id and wires.count(message.wire) == 1]

    # -- a session ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.maildrop is None)
    @rule()
    def begin(self) -> None:
        self.maildrop = self.user.mailbox.open_maildrop()
        self.snapshot = tuple(self.expected)
        self.rewritten = False
        assert list(self.maildrop.wire_octets) == [len(message.wire) for message in self.snapshot]
        self._see(self.maildrop.unique_ids)

    @precondition(lambda self: self.snapshot)
    @rule(number=st.integers(1, 12))
    def read_one(self, number: int) -> None:
        assert self.maildrop is not None
        message = self.snapshot[(number - 1) % len(self.snapshot)]
        number = self.snapshot.index(message) + 1
        if self.rewritten or message not in self.expected:
            with pytest.raises(MailboxChangedError):
                read(self.maildrop, number)
        else:
            assert read(self.maildrop, number) == message.wire

    @precondition(lambda self: self.maildrop is not None)
    @rule(deleted=numbers, retrieved=numbers)
    def end(self, deleted: set[int], retrieved: set[int]) -> None:
        assert self.maildrop is not None
        present = set(range(1, len(self.snapshot) + 1))
        deleted, retrieved = deleted & present, retrieved & present
        if self.rewritten and deleted:
            with pytest.raises(MailboxChangedError):
                self.maildrop.commit(deleted=deleted, retrieved=retrieved)
        else:
            self.maildrop.commit(deleted=deleted, retrieved=retrieved)
            gone = [self.snapshot[number - 1] for number in deleted]
            self.expected = [message for message in self.expected if message not in gone]
            self.retired |= {str(message.unique_id) for message in gone}
        self._close()

    @precondition(lambda self: self.maildrop is not None)
    @rule()
    def vanish(self) -> None:
        self._close()

    def _close(self) -> None:
        assert self.maildrop is not None
        self.maildrop.close()
        self.maildrop, self.snapshot = None, ()

    # -- what must hold -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.maildrop is None)
    @invariant()
    def the_mailbox_holds_what_it_must(self) -> None:
        messages = self.user.messages()
        assert [message.octets for message in messages] == [message.wire for message in self.expected]
        self._see([message.unique_id for message in messages])

    def _see(self, unique_ids: Sequence[str]) -> None:
        assert len(set(unique_ids)) == len(unique_ids)
        assert self.retired.isdisjoint(unique_ids)
        for message, unique_id in zip(self.expected, unique_ids, strict=True):
            assert message.unique_id in (None, unique_id)
            message.unique_id = unique_id
