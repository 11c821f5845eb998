"""Tests of ``spool.rehash.moves``."""

from __future__ import annotations

from pathlib import Path

from spool.names import UserName
from spool.rehash.moves import Move


def test_a_move_and_the_one_that_undoes_it_go_between_the_same_directories() -> None:
    move = Move(UserName("ann"), 1, 2, Path("/m/l/ann"), Path("/m/u/s/ann"))
    assert (move.old_directory, move.new_directory) == ("/m/l", "/m/u/s")
    assert (move.back.old_directory, move.back.new_directory) == ("/m/u/s", "/m/l")
    assert move.back.back == move
