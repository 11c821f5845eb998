"""What the programs share: the site option, exit statuses, and how trouble is reported."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spool.errors import SpoolError
from spool.site import DEFAULT_SITE, Site

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def add_site_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--site DIR`` with its defaults: ``MAILSPOOL_SITE``, then ``/etc/mailspool``."""
    parser.add_argument(
        "--site",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get("MAILSPOOL_SITE") or DEFAULT_SITE),
        help=f"the site's directory (default: $MAILSPOOL_SITE, else {DEFAULT_SITE})",
    )


def site_of(options: argparse.Namespace) -> Site:
    """The site that ``--site`` names, as an absolute path."""
    directory: Path = options.site
    return Site(directory.absolute())


def run(program: str, command: Callable[[], int]) -> int:
    """Run a command's body; trouble that the library raises on purpose becomes one line on stderr and status 1."""
    try:
        return command()
    except SpoolError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED
    except BrokenPipeError:
        # The reader of our output went away (head, less); point stdout elsewhere so that the exit flush stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
