"""condredirect: hand the message over to another address, as SENDER, and stop, if a program says yes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from delivery.companions.conditions import condredirect
from delivery.companions.handing_over import hand_over
from delivery.companions.statuses import Exit, variable
from tools.companion import CompanionParser, run_companion


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)

    def redirect(environment: Mapping[str, str]) -> Exit:
        sender = variable(environment, "SENDER")
        program = [options.program, *options.arguments]
        return condredirect(program, lambda: hand_over(environment, sender, (options.address,)))

    return run_companion("condredirect", redirect)


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="condredirect", description=__doc__)
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser
