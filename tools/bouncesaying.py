"""bouncesaying: refuse the message with a text, always or if a program says yes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from delivery.companions.conditions import bouncesaying
from tools.companion import CompanionParser, run_companion


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    return run_companion("bouncesaying", lambda _: bouncesaying(options.text, options.program, print))


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="bouncesaying", description=__doc__)
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("program", metavar="PROGRAM", nargs=argparse.REMAINDER)
    return parser
