"""Random foreign changes and sessions of two processes: what is kept must never differ from what is there.

The directories' times are a model's, of a clock that ticks by seconds: most changes fall into the tick of another one
or of a session's look, as they may on real file systems. (With ``spool.stamps.SETTLED_NS`` 0 this fails at once.)
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from spool.kept_snapshots import KeptSnapshots
from spool.maildir.current import current_snapshot
from spool.maildir.directories import MessageDirectories, Part
from spool.maildir.names import UniqueNames
from spool.maildir.snapshot import MaildirSnapshot
from spool.stamps import Stamp
from spool.unique_ids import UniqueIdFile
from tests.mailbox_locations import location_in

TICK_NS = 1_000_000_000


class KeptIsFresh(RuleBasedStateMachine):
    """Other programs change the Maildir by names alone; sessions look at it through what two processes keep."""

    messages: Bundle[str] = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        self._location = location_in(Path(self._stack.enter_context(tempfile.TemporaryDirectory())))
        self._now_ns = 1_700_000_000 * TICK_NS
        self._changed_ns = dict.fromkeys(Part, self._now_ns)
        self._kept = [KeptSnapshots(100_000), KeptSnapshots(100_000)]
        self._delivered = 0
        self._stack.enter_context(patch.object(MessageDirectories, "stamp", lambda _, part: self._stamp(part)))
        # However small a mailbox is, its file is written.
        self._stack.enter_context(patch("spool.maildir.listing_file.MESSAGES_MIN", 0))

    def teardown(self) -> None:
        self._stack.close()

    @rule(target=messages, size=st.sampled_from(["", ",W=3"]))
    def deliver(self, size: str) -> str:
        self._delivered += 1
        base = f"{1_700_000_000 + self._delivered // 2}.M{self._delivered}{size}"
        (self._location.path / "new" / base).write_bytes(b"x\n")
        self._mark(Part.NEW)
        return base

    @rule(base=messages, flags=st.sampled_from(["", "S", "F", "FS"]))
    def flag(self, base: str, flags: str) -> None:
        for path in self._files(base):
            path.rename(self._location.path / "cur" / f"{base}:2,{flags}")
            self._mark(Part(path.parent.name), Part.CUR)

    @rule(base=consumes(messages))
    def remove(self, base: str) -> None:
        for path in self._files(base):
            path.unlink()
            self._mark(Part(path.parent.name))

    @rule(base=messages, data=st.data())
    def import_id(self, base: str, data: st.DataObject) -> None:
        UniqueIdFile(self._location).import_ids({base: [data.draw(st.text("abc", min_size=9, max_size=9))]})

    @rule(ticks=st.sampled_from([0.3, 1, 3]))
    def wait(self, ticks: float) -> None:
        self._now_ns += int(ticks * TICK_NS)

    @rule(process=st.sampled_from([0, 1]), between=st.sampled_from(["deliver", "nothing"]))
    def look(self, process: int, between: str) -> None:
        seen = self._snapshot(self._kept[process])
        fresh = self._snapshot(KeptSnapshots(0), listing=False)
        assert contents(seen) == contents(fresh)
        if between == "deliver":  # right after the look, whatever tick that is
            self.deliver(",W=3")
            fresh = self._snapshot(KeptSnapshots(0), listing=False)
            assert contents(self._snapshot(self._kept[process])) == contents(fresh)

    def _snapshot(self, kept: KeptSnapshots, *, listing: bool = True) -> MaildirSnapshot:
        directories = MessageDirectories(self._location.path)
        try:
            with contextlib.ExitStack() as stack:
                if not listing:
                    stack.enter_context(patch("spool.maildir.current.ListingFile", _NoListing))
                return current_snapshot(
                    self._location, directories, kept, make_name=UniqueNames().make, clock_ns=lambda: self._now_ns
                )
        finally:
            directories.close()

    def _stamp(self, part: Part) -> Stamp:
        return Stamp(1, list(Part).index(part), 0, self._changed_ns[part], self._changed_ns[part])

    def _mark(self, *parts: Part) -> None:
        for part in parts:
            self._changed_ns[part] = self._now_ns // TICK_NS * TICK_NS

    def _files(self, base: str) -> list[Path]:
        return [path for path in self._location.path.glob("*/*") if path.name.partition(":")[0] == base]


class _NoListing:
    """In the place of the listing file, for a look at the names themselves."""

    def __init__(self, _: object) -> None:
        pass

    def load(self, _: object) -> None:
        return None

    def save(self, _: object) -> None:
        pass


def contents(snapshot: MaildirSnapshot) -> tuple[object, ...]:
    return (
        list(snapshot.bases),
        list(snapshot.places),
        list(snapshot.wire_octets),
        list(snapshot.unique_ids),
        snapshot.last_seen,
    )


KeptIsFresh.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestKeptIsFresh = KeptIsFresh.TestCase
