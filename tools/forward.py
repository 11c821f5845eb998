"""forward: hand the message over to other addresses, as NEWSENDER."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from delivery.companions.handing_over import hand_over
from delivery.companions.statuses import Exit, variable
from tools.companion import CompanionParser, run_companion


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    options = _parser().parse_args(argv)

    def forward(environment: Mapping[str, str]) -> Exit:
        hand_over(environment, variable(environment, "NEWSENDER"), options.address)
        return Exit.GO_ON

    return run_companion("forward", forward)


def _parser() -> argparse.ArgumentParser:
    parser = CompanionParser(prog="forward", description=__doc__)
    parser.add_argument("address", metavar="ADDRESS", nargs="+")
    return parser
