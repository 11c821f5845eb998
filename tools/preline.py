"""preline: run a program on the message with the From_, Return-Path and Delivered-To lines before it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from delivery.companions.preline import LINES, preline
from tools.companion import CompanionParser, run_companion


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    lines = [name for name in LINES if getattr(options, name)]
    return run_companion(
        "preline", lambda environment: preline([options.program, *options.arguments], environment, lines)
    )


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="preline", description=__doc__)
    for name, letter in {"from": "f", "return-path": "r", "delivered-to": "d"}.items():
        parser.add_argument(
            f"-{letter}", dest=name, action="store_false", help=f"leave out the {LINES[name]} line ({name})"
        )
        parser.add_argument(f"-{letter.upper()}", dest=name, action="store_true", help="put it in (the default)")
        parser.set_defaults(**{name: True})
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser
