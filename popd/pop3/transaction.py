"""The TRANSACTION state: the maildrop is open. Questions are answered from the snapshot; messages are the shell's work.

While XTND XMIT takes in a message, the peer's next line is no command but a line of that message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from popd.pop3 import commands
from popd.pop3.capabilities import announce
from popd.pop3.languages import choose_language, list_languages
from popd.pop3.maildrop_view import MaildropView
from popd.pop3.receiving import MessageCollector
from popd.pop3.replies import MAX_LISTED_OCTETS, TERMINATOR, negative, positive
from popd.pop3.states import Expecting, MaildropQuestion, TransactionCommand
from popd.pop3.steps import (
    Close,
    Commit,
    ListHeaders,
    Refusal,
    Send,
    SendMessage,
    SessionPolicy,
    Snapshot,
    Step,
    SubmitMessage,
)


class Transaction:
    """A session with an open maildrop."""

    __slots__ = ("_collector", "_view", "policy")

    def __init__(self, policy: SessionPolicy, snapshot: Snapshot) -> None:
        self.policy = policy
        self._view = MaildropView(snapshot)
        self._collector: MessageCollector | None = None

    @property
    def expecting(self) -> Expecting:
        """What the peer's next line is."""
        return Expecting.MESSAGE_LINE if self._collector else Expecting.COMMAND

    @property
    def bad_commands_max(self) -> int:
        """How many bad commands in a row end the session."""
        return self.policy.bad_commands_after_login

    def greet(self) -> tuple[Step, ...]:
        """The reply to the login that opened the maildrop."""
        return (positive(f"maildrop has {len(self._view)} messages ({self._view.octets} octets)"),)

    def take(self, command: TransactionCommand) -> tuple[Step, ...]:
        """Take a command that is offered here."""
        match command:
            case commands.Stat() | commands.List() | commands.Uidl() | commands.Last():
                return (self._answer(command),)
            case commands.Retr() | commands.Top():
                return (self._send(command),)
            case commands.Dele(number):
                return (self._delete(number),)
            case commands.Noop():
                return (positive("done"),)
            case commands.Rset():
                return (self._reset(),)
            case commands.XtndXmit():
                self._collector = MessageCollector(self.policy.submission_octets_max)
                return (positive("send the message, end with a dot"),)
            case commands.XtndXlst(field_name, number):
                return (self._list_headers(field_name, number),)
            case commands.Lang(language_range):
                return (choose_language(language_range) if language_range else list_languages(),)
            case commands.Capa():
                return (announce(self.policy, logged_in=True),)
            case commands.Quit():
                return self._quit()
            case _:
                assert_never(command)

    def take_line(self, line: bytes) -> tuple[Step, ...]:
        """Take a line of the message that XTND XMIT announced."""
        collector = self._collector
        assert collector is not None, "message lines come only while one is collected"
        if not collector.take(line):
            return ()
        self._collector = None
        if collector.overflowed:
            return (negative("message too long"),)
        return (SubmitMessage(collector.message()),)

    def line_too_long(self) -> tuple[Step, ...]:
        """Drop the message whose line passed the limit, but read on to its end."""
        assert self._collector is not None, "message lines come only while one is collected"
        self._collector.overflow()
        return ()

    def timed_out(self) -> tuple[Step, ...]:
        """Nothing is under way that somebody would have to be told of."""
        return ()

    def refuse(self, refusal: Refusal) -> tuple[Step, ...]:
        """Answer a failed request."""
        return (negative(refusal.text, refusal.code),)

    def message_sent(self, request: SendMessage) -> None:
        """Note what RETR sent; TOP does not count as reading."""
        if request.body_lines is None:
            self._view.retrieve(request.number)

    def headers_listed(self, request: ListHeaders, values: Iterable[tuple[int, bytes]]) -> tuple[Step, ...]:
        """Answer XTND XLST with pairs of message number and field value."""
        lines = [(b"%d %b: %b" % (number, request.field_name, value))[:MAX_LISTED_OCTETS] for number, value in values]
        return (Send(b"\r\n".join((b"+OK headers follow", *lines, TERMINATOR))),)

    def _answer(self, question: MaildropQuestion) -> Step:
        view = self._view
        match question:
            case commands.Stat():
                return Send(b"+OK %d %d\r\n" % (len(view), view.octets))
            case commands.List(number):
                if number is None:
                    return Send(view.list_sizes())
                return positive(f"{number} {view.size(number)}") if number in view else _no_such_message()
            case commands.Uidl(number):
                if number is None:
                    return Send(view.list_unique_ids())
                return positive(f"{number} {view.unique_id(number)}") if number in view else _no_such_message()
            case commands.Last():
                return positive(str(view.last_accessed))
            case _:
                assert_never(question)

    def _send(self, command: commands.Retr | commands.Top) -> Step:
        if command.number not in self._view:
            return _no_such_message()
        return SendMessage(command.number, command.body_lines if isinstance(command, commands.Top) else None)

    def _delete(self, number: int) -> Step:
        if self._view.read_only:
            return negative("this session cannot delete, another one is using the maildrop")
        if number not in self._view:
            return _no_such_message()
        self._view.delete(number)
        return positive(f"message {number} deleted")

    def _reset(self) -> Step:
        self._view.reset()
        return positive(f"maildrop has {len(self._view)} messages ({self._view.octets} octets)")

    def _list_headers(self, field_name: bytes, number: int | None) -> Step:
        if number is None:
            return ListHeaders(field_name, tuple(self._view))
        return ListHeaders(field_name, (number,)) if number in self._view else _no_such_message()

    def _quit(self) -> tuple[Step, ...]:
        if self._view.read_only:
            return positive("bye"), Close()
        return (Commit(frozenset(self._view.deleted), frozenset(self._view.retrieved)),)


def _no_such_message() -> Send:
    return negative("no such message")
