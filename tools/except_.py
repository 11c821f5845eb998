"""except: refuse the message if a program says yes, go on if it says no."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from delivery.companions.conditions import except_
from tools.companion import CompanionParser, run_companion


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)
    return run_companion("except", lambda _: except_([options.program, *options.arguments]))


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="except", description=__doc__)
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser
