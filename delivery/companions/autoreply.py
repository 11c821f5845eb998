"""``autoreply``: an answer to whoever writes, that harms nobody (RFC 3834).

No answer goes to a bounce, a list, a daemon or another automatic answer, to whoever wrote to somebody else (a list, a
blind copy), or to the same sender again within a week. An answer has the null sender, so that nothing answers it.
"""

from __future__ import annotations

import email.policy
import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Final

from delivery.addresses import quoted
from delivery.companions.handing_over import send, standard_input
from delivery.companions.statuses import variable
from spool import durable

INTERVAL_SECONDS: Final = 7 * 24 * 60 * 60  # RFC 3834 section 2: 7 days by default
SUBJECT_CHARACTERS_MAX: Final = 200
# RFC 3834 section 2: senders that are no persons.
_NO_PERSON: Final = re.compile(
    r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|root|listserv|majordomo|daemon|nobody|bounces?)"
    r"|owner-.*|.*-(?:request|owner|bounces?|errors)(?:[+=-].*)?|bounces?[+=-].*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer with.

    Attributes:
        text: the body.
        subject: the subject; None for the message's own after ``Auto:``.
        addresses: of the user, in lower case; one of them must be in To or Cc.
        interval_seconds: how long the same sender gets no second answer.
    """

    text: str
    subject: str | None
    addresses: frozenset[str]
    interval_seconds: float = INTERVAL_SECONDS


def answer_to(head: bytes, sender: str, recipient: str, answer: Answer) -> EmailMessage | None:
    """Make the answer to a message; None if there must be none.

    Args:
        head: the message's header.
        sender: of the envelope; empty for the null sender.
        recipient: the address the message came to: whom the answer is from.
        answer: what the user wants to say.
    """
    if not _is_person(sender):
        return None
    fields = BytesHeaderParser(policy=email.policy.default).parsebytes(head)
    if _is_automatic(fields) or not _names(fields) & (answer.addresses | {recipient.lower()}):
        return None
    reply = EmailMessage(policy=email.policy.default)
    subject = " ".join(str(fields.get("subject", "")).split())[:SUBJECT_CHARACTERS_MAX]
    reply["From"] = quoted(recipient)
    reply["To"] = quoted(sender)
    reply["Subject"] = answer.subject or f"Auto: {subject}"
    reply["Auto-Submitted"] = "auto-replied"  # RFC 3834 section 5
    reply["Precedence"] = "bulk"  # not standard, and heeded by much that does not know the field above
    identifier = str(fields.get("message-id", "")).strip()
    if re.fullmatch(r"<[!-;=?-~]{1,250}>", identifier):
        reply["In-Reply-To"] = identifier
        reply["References"] = identifier
    reply.set_content(answer.text)
    return reply


def reply(environment: Mapping[str, str], answer: Answer, senders: Path) -> bool:
    """Answer the message of the instruction line, if it may be answered.

    A sender counts as answered before the answer is sent: rather no answer than two.

    Args:
        environment: what ``delivery.environment`` says.
        answer: what the user wants to say.
        senders: the directory in which answered senders are noted.

    Returns:
        Whether an answer was sent.

    Raises:
        MissingVariableError: we were not called from an instruction line.
        SpoolError: the answer was not taken over.
        OSError: it could not be noted.
    """
    sender, recipient = variable(environment, "SENDER"), variable(environment, "RECIPIENT")
    message = answer_to(next(standard_input(), b""), sender, recipient, answer)
    if message is None or not claim(senders, sender, answer.interval_seconds):
        return False
    send(environment, message.as_bytes(), sender)
    return True


def claim(directory: Path, sender: str, seconds: float, *, now: float | None = None) -> bool:
    """Note that a sender is being answered, unless they were within the last ``seconds``.

    Holds when it returns. A file with a digest for its name stands for each sender, and its time for the last answer;
    files that say nothing any more are removed.

    Returns:
        False if they were answered already.

    Raises:
        OSError: the directory cannot be made or written.
    """
    now = time.time() if now is None else now
    directory.mkdir(mode=0o700, exist_ok=True)
    mark = directory / hashlib.sha256(sender.lower().encode("utf-8", "surrogateescape")).hexdigest()[:32]
    for old in directory.iterdir():
        if old.stat().st_mtime <= now - seconds:
            durable.remove(old)
    try:
        durable.create_file(mark, ())
    except FileExistsError:
        return False
    os.utime(mark, (now, now))
    durable.sync_directory(directory)
    return True


def _is_person(sender: str) -> bool:
    local, at, domain = sender.rpartition("@")
    plain = sender.isascii() and sender.isprintable()  # whoever cannot be written into a field is not answered
    return bool(at and local and domain) and plain and sender != "#@[]" and not _NO_PERSON.fullmatch(local)


def _is_automatic(fields: EmailMessage) -> bool:
    if any(name.lower().startswith("list-") for name in fields.keys()):  # noqa: SIM118 - no mapping
        return True
    submitted = str(fields.get("auto-submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(fields.get("precedence", "")).strip().lower()
    return (
        submitted != "no"
        or precedence in {"bulk", "junk", "list", "auto_reply"}
        or "x-auto-response-suppress" in fields
        or "x-autoreply" in fields
        or "mailing-list" in fields
    )


def _names(fields: EmailMessage) -> set[str]:
    found = set()
    for name in ("to", "cc", "resent-to", "resent-cc"):
        for field in fields.get_all(name, ()):
            found |= {address.addr_spec.lower() for address in getattr(field, "addresses", ())}
    return found
