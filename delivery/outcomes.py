"""What a program's exit status says about the message (qmail-command(8)), and a sendmail's (sysexits.h)."""

from __future__ import annotations

import os
from typing import Final

EXIT_STOP: Final = 99
"""The message is delivered, and what follows is not to be done."""

PROGRAM_REFUSES: Final = frozenset({100, 64, 65, 70, 76, 77, 78, 112})
"""The program will never take the message. Every other status but 0 and ``EXIT_STOP`` is worth another try."""

SENDMAIL_REFUSES: Final = frozenset({os.EX_DATAERR, os.EX_NOUSER, os.EX_NOHOST})
"""No sendmail will take the message for this address. Usage errors are ours, or the operator's, and may be mended."""


def is_temporary(status: int | None) -> bool:
    """Whether a program has not taken the message for now; ``status`` as in ``delivery.programs.Ended``."""
    return status not in {0, EXIT_STOP} and status not in PROGRAM_REFUSES
