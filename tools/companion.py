"""How the programs of instruction lines end: their status decides about the message, and trouble is told in a line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from delivery.companions.statuses import CannotRunError, Exit, MissingVariableError
from spool.errors import SpoolError


class CompanionParser(argparse.ArgumentParser):
    """A parser for which wrong usage refuses the message, as qmail's programs do (qmail-command(8))."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and refuse the message."""
        print(f"{self.prog}: usage: {message}", file=sys.stderr)
        self.exit(Exit.REFUSE)


def run_companion(program: str, work: Callable[[Mapping[str, str]], Exit]) -> int:
    """Run a companion; the exit status is the return value. Unforeseen trouble is temporary."""
    try:
        return int(work(os.environ))
    except MissingVariableError as error:
        status, trouble = Exit.REFUSE, str(error)
    except CannotRunError as error:
        status, trouble = error.status, str(error)
    except SpoolError as error:
        status, trouble = Exit.REFUSE if error.status.permanent else Exit.TRY_LATER, error.public_text
    except Exception as error:  # a bug must never bounce mail
        status, trouble = Exit.TRY_LATER, type(error).__name__
    print(f"{program}: {trouble}", file=sys.stderr)
    return int(status)
