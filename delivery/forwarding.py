"""Handing a message over to whoever carries it to other addresses. It is ours until they have said yes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from delivery.addresses import split_address
from delivery.errors import ForwardingDeferredError, ForwardingRefusedError
from delivery.messages import Message, standard_input
from delivery.outcomes import SENDMAIL_REFUSES

SENDMAIL_SECONDS: Final = 120.0
_VERP: Final = "-@[]"


class Forwarder(Protocol):
    """Takes messages over."""

    def check(self) -> None:
        """See whether it could, as far as that is known without asking anybody.

        Raises:
            ForwardingDeferredError: it could not.
        """

    def forward(self, message: Message, delivered_to: bytes, sender: str | None, recipients: Sequence[str]) -> None:
        """Hand a message over, with a line put before it.

        Holds when it returns: it is somebody else's now. A crash before that may have handed it over, too.

        Args:
            message: the message.
            delivered_to: the line, by which a loop is noticed when the message comes back.
            sender: of the envelope, None for the null sender; ``…-@HOST-@[]`` stands for a sender of its own for each
                recipient (``expanded``).
            recipients: at least one address.

        Raises:
            SpoolError: it was not taken over; with senders of their own, perhaps for some recipients.
        """


class SendmailForwarder:
    """Hands over to a ``sendmail``-compatible command (Postfix, Exim, OpenSMTPD and qmail have one).

    Args:
        command: the program and its first arguments; empty if there is none, and nothing can be forwarded.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def check(self) -> None:
        """See ``Forwarder``."""
        if not self._command:
            raise ForwardingDeferredError("neither [delivery] sendmail nor smarthost is set: nothing can be forwarded")

    def forward(self, message: Message, delivered_to: bytes, sender: str | None, recipients: Sequence[str]) -> None:
        """See ``Forwarder``."""
        self.check()
        for from_sender, to in expanded(sender, recipients):
            try:
                status = self._run(message, delivered_to, from_sender, to)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ForwardingDeferredError(f"{self._command[0]}: {error}") from error
            if status in SENDMAIL_REFUSES:
                raise ForwardingRefusedError(f"{self._command[0]}: exit status {status}")
            if status != 0:
                raise ForwardingDeferredError(f"{self._command[0]}: exit status {status}")

    def _run(self, message: Message, delivered_to: bytes, sender: str | None, recipients: Sequence[str]) -> int:
        # -i: a line with a dot alone does not end the message. --: no address is an option.
        arguments = [*self._command, "-i", "-f", sender or "<>", "--", *recipients]
        stdin = standard_input(message.with_lines(delivered_to))
        try:
            return subprocess.run(  # noqa: S603 - the operator's command; what strangers wrote stands behind --
                [argument.encode("utf-8", "surrogateescape") for argument in arguments],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                timeout=SENDMAIL_SECONDS,
                check=False,
            ).returncode
        finally:
            os.close(stdin)


def expanded(sender: str | None, recipients: Sequence[str]) -> Iterator[tuple[str | None, Sequence[str]]]:
    """Say for which recipients a message is handed over with which sender.

    A sender ``LIST-owner-@HOST-@[]`` becomes ``LIST-owner-USER=DOMAIN@HOST`` for the recipient ``USER@DOMAIN``, so that
    a bounce tells whose it is (VERP; envelopes(5)).
    """
    if sender is None or not sender.endswith(_VERP):
        yield sender, recipients
        return
    base, host = split_address(sender.removesuffix(_VERP))
    for recipient in recipients:
        local, domain = split_address(recipient)
        yield f"{base}{local}={domain or ''}@{host or ''}", (recipient,)
