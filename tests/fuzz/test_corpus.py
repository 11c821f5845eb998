from __future__ import annotations

import random
from pathlib import Path

import pytest

from popd.pop3.steps import SessionPolicy
from tests.fuzz import oracle
from tests.fuzz.__main__ import CORPUS, main
from tests.fuzz.oracle import BrokenPromiseError, check
from tests.fuzz.sessions import session


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_an_input_that_once_was_interesting_does_no_harm(path: Path) -> None:
    check(path.read_bytes())


@pytest.mark.parametrize("seed", range(30))
def test_random_sessions_do_no_harm(seed: int) -> None:
    check(session(random.Random(seed)))


def test_the_fuzzer_runs_over_an_empty_corpus(tmp_path: Path) -> None:
    assert main(["--seconds", "0.05", "--seed", "1", "--corpus", str(tmp_path)]) == 0


def test_the_fuzzer_keeps_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "POLICIES", [SessionPolicy(implementation="\r\n.\r\n", user_cleartext=True)])
    (tmp_path / "known").write_bytes(b"USER mrose\r\nPASS secret\r\nCAPA\r\n")
    assert main(["--seconds", "0.3", "--seed", "1", "--corpus", str(tmp_path)]) == 1
    kept = next(path for path in tmp_path.iterdir() if path.name.startswith("found-"))
    with pytest.raises(BrokenPromiseError):
        check(kept.read_bytes())
