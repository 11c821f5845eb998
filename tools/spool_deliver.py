"""spool-deliver: hand one message over to the site's service where it runs; else deliver it in this process.

A process per message has to start fast, so nothing is imported here but what handing over needs (``bench/lda.py`` has
the figures), and ``launchers/spool-deliver`` starts it without what Python loads by itself. Ordinary command lines are
understood here, all others by ``tools.deliver_alone``, which has the whole parser: what both understand they understand
alike.
"""

import posix
import sys

from delivery.lmtp_client import NobodyThereError, Reply, hand_over
from delivery.lmtp_socket import find_lmtp_socket

DEFAULT_SITE = "/etc/mailspool"  # spool.site's, which takes long to load


class ExitCodes:
    """What the mail transport that runs us understands."""

    __slots__ = ("no_user", "refused", "try_later")

    def __init__(self, *, no_user: int, refused: int, try_later: int) -> None:
        self.no_user = no_user
        self.refused = refused
        self.try_later = try_later


EXIT_CODES = {
    "qmail": ExitCodes(no_user=100, refused=100, try_later=111),
    # sysexits.h: EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL. Postfix, for one, takes 111 for a bounce.
    "sysexits": ExitCodes(no_user=67, refused=69, try_later=75),
}
DEFAULT_EXIT_CODES = "qmail"

_NO_USER = ("5.1.1", "5.1.2", "5.1.3")
_STDIN = 0


class Asked:
    """What a command line asks for: ``sender`` is empty for the null sender."""

    __slots__ = ("codes", "recipient", "sender", "site")

    def __init__(self, *, site: str, sender: str, codes: ExitCodes, recipient: str) -> None:
        self.site = site
        self.sender = sender
        self.codes = codes
        self.recipient = recipient


def start() -> None:
    """Run the command and end the process, without taking the interpreter apart first, which takes 2 ms."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    posix._exit(status)  # noqa: SLF001 - the name that ends a process at once


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    arguments = sys.argv[1:] if argv is None else argv
    asked = _understood(arguments)
    service = None if asked is None else find_lmtp_socket(asked.site)
    if asked is not None and service is not None:
        try:
            return _status(hand_over(service, asked.sender, asked.recipient, _STDIN), asked.codes)
        except NobodyThereError:
            pass
        except (Exception, KeyboardInterrupt) as error:  # a bug must never bounce mail
            print("4.3.0 mail system error", file=sys.stderr)
            _log(f"{asked.recipient}: not handed over: {error}")
            return asked.codes.try_later
    return _alone(arguments)


def _understood(arguments: list[str]) -> Asked | None:
    """Take an ordinary command line apart; None for one that needs the whole parser."""
    options = {
        "--site": posix.environ.get(b"MAILSPOOL_SITE", b"").decode("utf-8", "surrogateescape") or DEFAULT_SITE,
        "--sender": "",
        "--exit-codes": DEFAULT_EXIT_CODES,
    }
    recipients: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            recipients += left
        elif argument.startswith("-"):
            name, equals, value = argument.partition("=")
            if not equals:
                value = next(left, "-")
            if name not in options or (not equals and value.startswith("-")):
                return None
            options[name] = value
        else:
            recipients.append(argument)
    codes = EXIT_CODES.get(options["--exit-codes"])
    if codes is None or len(recipients) != 1 or not options["--site"]:
        return None
    return Asked(site=options["--site"], sender=options["--sender"], codes=codes, recipient=recipients[0])


def _status(reply: Reply, codes: ExitCodes) -> int:
    """Say what a reply means to the mail transport; only what is certain is for good.

    A status 5.5.x says that the two of us did not understand each other (RFC 3463 section 3.6), and nothing of the
    recipient.
    """
    if reply.good:
        return 0
    print(reply.status or "4.3.0", reply.text, file=sys.stderr)
    if not 500 <= reply.code < 600 or reply.status[:2] != "5." or reply.status[:4] == "5.5.":
        return codes.try_later
    return codes.no_user if reply.status in _NO_USER else codes.refused


def _alone(arguments: list[str]) -> int:
    if sys.flags.no_site:
        import site  # noqa: PLC0415

        site.main()  # we were started without what finds the packages that this one needs
    from tools import deliver_alone  # noqa: PLC0415

    return deliver_alone.main(arguments)


def _log(text: str) -> None:
    from tools.deliver_alone import log  # noqa: PLC0415

    log(text)
