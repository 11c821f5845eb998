"""A client and a caller for one session, without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from mta.smtp.replies import DELIVERED, Reply
from mta.smtp.session import Session
from mta.smtp.steps import (
    CheckRecipient,
    Close,
    Content,
    Deliver,
    Discard,
    Envelope,
    Refused,
    Send,
    SessionPolicy,
    StartTls,
    Step,
)

POLICY = SessionPolicy(
    host_name="mail.example.org",
    tls_available=False,
    tls_active=False,
    message_octets_max=10_000,
    recipients_max=5,
    refuse_bare_line_ends=False,
)
UNKNOWN = Reply(550, "5.1.1", "no such user")


class Talk:
    """Carries the steps of a session out at once: recipients are good unless they begin with ``no``."""

    def __init__(self, *, decide: Callable[[str], Reply] | None = None, **policy: object) -> None:
        self.session = Session(dataclasses.replace(POLICY, **policy))  # type: ignore[arg-type]
        self.sent = b""
        self.content = b""
        self.delivered: list[tuple[Envelope, bytes]] = []
        self.refused: list[tuple[str, Reply]] = []
        self.closed = False
        self.tls = 0
        self.held: list[Envelope] = []  # what is not decided yet
        self._decide = decide or (lambda _: DELIVERED)
        self.hold = False
        self._carry_out(self.session.greet())

    def say(self, *pieces: bytes) -> bytes:
        """Send pieces; what is answered."""
        before = len(self.sent)
        for piece in pieces:
            self._carry_out(self.session.receive(piece))
        return self.sent[before:]

    def ask(self, *lines: str) -> list[str]:
        """Send lines; the codes of the answers."""
        return codes(self.say(*(line.encode() + b"\r\n" for line in lines)))

    def begin(self, *recipients: str, sender: str = "s@x") -> None:
        """LHLO, MAIL, RCPT."""
        self.ask("LHLO client", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients))

    def decide(self, number: int, reply: Reply) -> bytes:
        before = len(self.sent)
        self._carry_out(self.session.decided(number, reply))
        return self.sent[before:]

    def _carry_out(self, steps: Iterable[Step]) -> None:
        for step in list(steps):
            match step:
                case Send(octets):
                    self.sent += octets
                case Content(octets):
                    self.content += octets
                case Refused(address, reply):
                    self.refused.append((address, reply))
                case Discard():
                    self.content = b""
                case Close():
                    self.closed = True
                case StartTls():
                    self.tls += 1
                    self.session.tls_started()
                case CheckRecipient(address):
                    self._carry_out(self.session.recipient_checked(UNKNOWN if address.startswith("no") else None))
                case Deliver(envelope):
                    self.delivered.append((envelope, self.content))
                    self.content = b""
                    if not self.hold:
                        for number, recipient in enumerate(envelope.recipients):
                            self._carry_out(self.session.decided(number, self._decide(recipient)))


def codes(octets: bytes) -> list[str]:
    """The last lines' codes, with their enhanced codes."""
    found = []
    for line in octets.decode().splitlines():
        if line[3] == " ":
            code, _, rest = line.partition(" ")
            enhanced = rest.split(" ")[0]
            found.append(f"{code} {enhanced}" if enhanced.count(".") == 2 and enhanced[0] in "245" else code)
    return found
