"""autoreply: answer whoever writes with a text, never to lists, bounces or other answers, and once a week a sender."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from delivery.companions.autoreply import Answer, reply
from delivery.companions.statuses import Exit
from tools.companion import CompanionParser, run_companion

_DAY: Final = 24 * 60 * 60


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)

    def answer(environment: Mapping[str, str]) -> Exit:
        text = options.file.read_text("utf-8")
        addresses = frozenset(address.lower() for address in options.address)
        reply(environment, Answer(text, options.subject, addresses, options.days * _DAY), options.senders)
        return Exit.GO_ON

    return run_companion("autoreply", answer)


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="autoreply", description=__doc__)
    parser.add_argument("--subject", metavar="TEXT", help="the subject (default: Auto: and the message's own)")
    parser.add_argument(
        "--address", metavar="ADDRESS", action="append", default=[], help="another address of yours; may be repeated"
    )
    parser.add_argument("--days", metavar="N", type=float, default=7.0, help="how long a sender gets no second answer")
    parser.add_argument(
        "--senders", metavar="DIR", type=Path, default=Path(".autoreply"), help="where answers are noted (.autoreply)"
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the text, in UTF-8")
    return parser
