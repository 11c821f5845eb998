"""Tests of ``delivery.program_shares``."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.program_shares import ProgramShare, ProgramShares
from delivery.settings import DeliverySettings
from spool.errors import SettingsError
from spool.names import UserName

FRED, MARY, ANN = UserName("fred"), UserName("mary"), UserName("ann")


@pytest.fixture
def shares(tmp_path: Path) -> ProgramShares:
    return ProgramShares(tmp_path / "programs", DeliverySettings(programs_per_user=2, program_seconds=100.0))


def test_without_the_file_everybody_has_what_the_settings_say(shares: ProgramShares) -> None:
    assert shares.of(FRED) == ProgramShare(2, 100.0)
    assert shares.all() == {}


def test_a_line_says_what_its_user_has_and_leaves_the_rest_to_the_settings(
    shares: ProgramShares, tmp_path: Path
) -> None:
    (tmp_path / "programs").write_text("# user:programs:seconds\nfred:5:2.5\nmary::30\nann:0:\nfred:1:1\n")
    assert shares.all() == {
        FRED: ProgramShare(5, 2.5),
        MARY: ProgramShare(2, 30.0),
        ANN: ProgramShare(0, 100.0),
    }
    assert shares.of(MARY) == ProgramShare(2, 30.0)


@pytest.mark.parametrize("line", ["fred", "fred:1", "fred:-1:1", "fred:1:0", "fred:x:1", "fred:1:nan", "fred:1:2:3"])
def test_a_wrong_line_is_named_and_concerns_its_user_only(shares: ProgramShares, tmp_path: Path, line: str) -> None:
    (tmp_path / "programs").write_text(f"mary:3:\n{line}\n")
    assert shares.of(MARY).at_once == 3
    with pytest.raises(SettingsError, match="programs: line 2: expected user:programs:seconds, found 'fred"):
        shares.of(FRED)
    with pytest.raises(SettingsError, match="line 2"):
        shares.all()


def test_a_line_for_what_is_no_user_is_wrong(shares: ProgramShares, tmp_path: Path) -> None:
    (tmp_path / "programs").write_text("Fred Smith:1:\n")
    with pytest.raises(SettingsError, match="line 1: not a user name"):
        shares.all()
