from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialogues.dialogue import load, play

DIALOGUES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_the_session_goes_as_written(path: Path) -> None:
    play(load(path))


def test_a_difference_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text("about = 'a reply nobody gives'\n---\nS: +OK something else\n")
    with pytest.raises(AssertionError, match=r"wrong\.txt:3"):
        play(load(path))


def test_words_left_over_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("about = 'the greeting is not read'\n---\n")
    with pytest.raises(AssertionError, match="more was said"):
        play(load(path))
