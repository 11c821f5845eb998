"""qbiff: tell of new mail on the terminals where its recipient is logged in; for an instruction line, ``|qbiff``.

A terminal gets notices while the execute bit of its owner is set: ``biff y``, or ``chmod u+x "$(tty)"``. The exit
status is always 0: a notice that fails is no reason to keep mail waiting.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from notify.biff import biff
from notify.notices import short, two_lines
from notify.terminals import Places


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the return value."""
    try:
        options = _parser().parse_args(argv)
        biff(os.environ, sys.stdin.buffer, short if options.short else two_lines, Places())
    except SystemExit as end:
        if not end.code:
            raise  # --help
    except Exception as error:  # mail must not wait for a notice
        print(f"qbiff: {type(error).__name__}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qbiff", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one line instead of two")
    return parser
