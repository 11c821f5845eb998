from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.console import Step, run_steps, steps_of


def test_commands_are_read_with_their_output(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text\n\n```console\n$ one\n1\n$ two\n```\n\n```sh\n$ three\n```\n")
    assert steps_of(page) == [Step("one", "1\n"), Step("two", "")]


def test_commands_share_one_shell(tmp_path: Path) -> None:
    run_steps([Step("greeting=hello", ""), Step('echo "$greeting, world"', "hello, ...\n")], tmp_path, {})


def test_other_output_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="printed:\nhello"):
        run_steps([Step("echo hello", "good bye\n")], tmp_path, {})


def test_output_that_is_not_shown_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run_steps([Step("echo oops >&2", "")], tmp_path, {})


def test_ports_can_be_changed(tmp_path: Path) -> None:
    run_steps([Step("echo 11110", "11110\n")], tmp_path, {"11110": "2"})
