"""Tests of serving.check_runner: what becomes of ``.rhosts``, here and in other processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from accounts.checks import CheckOutcome, CheckResult, RhostsContent, RhostsNeeded, RhostsUntrusted
from accounts.rhosts import UntrustedRhostsError
from serving.channel import Frame
from serving.check_runner import CheckLimits, CheckRunner, _read_rhosts
from spool.errors import HomeUnavailableError
from spool.names import UserName


class FakeUserFiles:
    def __init__(self, answer: Deferred[bytes]) -> None:
        self.answer = answer

    def read_rhosts(self, needed: RhostsNeeded) -> Deferred[bytes]:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (succeed(b"ws7.example.org\n"), RhostsContent(b"ws7.example.org\n")),
        (fail(UntrustedRhostsError("can be written by others")), RhostsUntrusted("can be written by others")),
        (fail(HomeUnavailableError("gone")), CheckResult.UNAVAILABLE),
    ],
)
def test_another_users_rhosts_is_what_its_process_says(
    answer: Deferred[bytes], outcome: CheckOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.check_runner.ProcessPool", lambda *_, **__: None)
    runner = CheckRunner(Clock(), CheckLimits(), FakeUserFiles(answer), spool_root=Path("/spool"))
    found: list[CheckOutcome] = []
    runner.run(RhostsNeeded(UserName("fred"), os.getuid() + 1, 1000, Path("/home/fred"))).addCallback(found.append)
    assert found == [outcome]


def test_a_reader_tells_trouble_from_a_file_nobody_can_trust(tmp_path: Path) -> None:
    job = Frame({"home": str(tmp_path), "uid": os.getuid(), "root": str(tmp_path.parent)})
    (tmp_path / ".rhosts").write_bytes(b"ws7.example.org\n")
    assert _read_rhosts(job).body == b"ws7.example.org\n"
    (tmp_path / ".rhosts").chmod(0o666)
    assert "can be written" in _read_rhosts(job).text("untrusted")
    (tmp_path / ".rhosts").chmod(0o600)
    tmp_path.rename(tmp_path.with_name("moved"))
    tmp_path.symlink_to("moved")
    assert _read_rhosts(job).body == b"ws7.example.org\n"
    tmp_path.unlink()
    assert "gone" not in _read_rhosts(job).text("trouble")
