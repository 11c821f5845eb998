"""What a delivery raises beyond what the spool does; ``public_text`` is for strangers, the message for the log."""

from __future__ import annotations

from spool.errors import EnhancedStatus, NoSuchUserError, SpoolError


class InstructionsError(SpoolError):
    """An instruction file is wrong, or may not be used as it is: its owner can mend it, so the mail waits."""

    status = EnhancedStatus(4, 3, 5)
    public_text = "delivery instructions of the mailbox cannot be followed now"


class NotLocalError(NoSuchUserError):
    """The address is of a domain whose mail is not kept here."""

    status = EnhancedStatus(5, 1, 2)
    public_text = "not a local domain"


class NoInstructionsError(NoSuchUserError):
    """The address is an extension for which its user has no instructions (qmail: "no mailbox here by that name")."""

    status = EnhancedStatus(5, 1, 1)
    public_text = "no such user"


class MailLoopError(SpoolError):
    """The message has been delivered to this very address before: its own Delivered-To is in the header."""

    status = EnhancedStatus(5, 4, 6)
    public_text = "this message is looping: it already has my Delivered-To line"


class ProgramDeferredError(SpoolError):
    """A program did not take the message this time, could not be started, or took too long."""

    status = EnhancedStatus(4, 3, 0)
    public_text = "a program of the recipient did not take the message"


class ProgramRefusedError(SpoolError):
    """A program will never take the message; what it printed is meant for the sender, and so is ``public_text``."""

    status = EnhancedStatus(5, 3, 0)
    public_text = "a program of the recipient refused the message"

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        if output:
            self.public_text = output


class ForwardingDeferredError(SpoolError):
    """What is to be forwarded was not taken over, so it still is ours; ``status`` is the next hop's, if it gave one."""

    status = EnhancedStatus(4, 4, 0)
    public_text = "the message cannot be forwarded now"

    def __init__(self, message: str, status: EnhancedStatus | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class ForwardingRefusedError(SpoolError):
    """The next hop will never take the message for these addresses; ``status`` is its own, if it gave one."""

    status = EnhancedStatus(5, 4, 0)
    public_text = "the message cannot be forwarded"

    def __init__(self, message: str, status: EnhancedStatus | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
