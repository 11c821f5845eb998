"""What the maintenance programs share beside ``tools.command``: options, exit statuses, progress, reports."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spool.control_files import Locals
from spool.names import DomainName
from spool.progress import NoProgress, Progress
from spool.site import Site
from tools.command import add_site_option

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

EXIT_MENDED: Final = 3
"""Something was mended, or could be."""
EXIT_NEEDS_PERSON: Final = 4
"""Something is wrong that a person must decide about."""
EXIT_BUSY: Final = 5
"""Some mailboxes were busy; the same command, run again, does them."""

EXIT_STATUSES: Final = (
    "exit status: 0 clean or done, 1 could not run, 2 usage, 3 mended or mendable, 4 needs a person, "
    "5 some mailboxes busy (run it again)"
)
SHOW_AFTER_SECONDS: Final = 1.0


def add_operation_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--site DIR``, ``--dry-run`` and ``--json``."""
    add_site_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def chosen_domain(options: argparse.Namespace, site: Site) -> DomainName | None:
    """Return the local domain that ``--domain`` names, None without that option.

    Users without a line in ``control/domains`` belong to every domain: a mistyped one would be all of them.

    Raises:
        MalformedNameError: it is no domain's name.
        SettingsError: it is not local, or ``control/locals`` cannot be read.
    """
    return None if options.domain is None else Locals(site.locals).named(options.domain)


def print_json(report: object) -> None:
    """Print a report, which is a dataclass or what JSON knows; paths and names become text, enumerations their value.

    Octets in names that are not UTF-8 come out as surrogate escapes of JSON, so that nothing is lost or refused.
    """
    print(json.dumps(report, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        # A name that is checked text (UserName, DomainName) is that text.
        return fields["text"] if set(fields) == {"text"} else fields
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


@contextlib.contextmanager
def shown_progress(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Give a progress that shows a bar with rate and remaining time on stderr, if that is a terminal.

    What takes less than a second shows nothing.
    """
    if not sys.stderr.isatty():
        yield NoProgress()
        return
    bar = _Bar(clock)
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """One part of an operation after the other, each with a bar of its own (``spool.progress.Progress``)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bars: Bars | None = None
        self._what = ""
        self._total: int | None = None
        self._done = 0
        self._began = 0.0

    def begin(self, what: str, total: int | None) -> None:
        self.close()
        self._what, self._total, self._done, self._began = what, total, 0, self._clock()

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._bars is None and self._clock() - self._began >= SHOW_AFTER_SECONDS:
            self._bars = _started_bars(self._what, self._total)
        if self._bars is not None:
            rate = self._done / max(self._clock() - self._began, 1e-9)
            self._bars.update(self._bars.task_ids[0], completed=self._done, rate=f"{rate:,.0f}/s")

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _started_bars(what: str, total: int | None) -> Bars:
    # Imported where it is needed: a tenth of a second at every start of every program is too much.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bars.add_task(what, total=total, rate="")
    bars.start()
    return bars
