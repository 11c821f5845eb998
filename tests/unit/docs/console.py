"""Runs the ``console`` blocks of a page: ``$ command`` lines, each with the output that must follow.

All commands of a page run in one shell, in an empty directory. ``mailspool serve`` runs in the background from where it
stands to the end of the page. In expected output ``...`` stands for anything. White space at line ends does not count.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ordinary_user import as_ordinary_user
from tests.unit.docs.pages import blocks

SECONDS_MAX: Final = 120
_SERVE: Final = "mailspool serve"
_MARK: Final = "\x1e"


@dataclass(frozen=True)
class Step:
    """One command and what it prints."""

    command: str
    output: str

    def fits(self, printed: str) -> bool:
        expected = re.sub(r"(?m)^\\\.\\\.\\\.\\\n", "(?:.*\\n)?", re.escape(_trimmed(self.output)))
        return re.fullmatch(expected.replace(r"\.\.\.", ".*"), _trimmed(printed), re.DOTALL) is not None


def steps_of(page: Path) -> list[Step]:
    """The commands an ordinary user types on a page."""
    steps = []
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                steps.append(Step(command, output))
    return steps


def run_steps(steps: Sequence[Step], directory: Path, changes: Mapping[str, str]) -> None:
    """Run steps in a directory; what stands in ``changes`` is replaced in commands and outputs alike.

    Raises:
        AssertionError: a command printed something else.
    """
    steps = [Step(_changed(step.command, changes), _changed(step.output, changes)) for step in steps]
    script = "\n".join(f"printf '{_MARK}'\n{_shell_of(step)}" for step in steps)
    result = subprocess.run(
        as_ordinary_user("bash", "-c", f"exec 2>&1\n{script}\n[ -z $served ] || {{ kill $served; wait $served; }}\n"),
        cwd=directory,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    printed = result.stdout.split(_MARK)[1:]
    for step, output in zip(steps, printed, strict=True):
        assert step.fits(output), f"$ {step.command}\nexpected:\n{step.output}\nprinted:\n{output}"


def _shell_of(step: Step) -> str:
    if step.command != _SERVE:
        return step.command
    return (
        f"{_SERVE} >served.out 2>served.log & served=$!\n"
        "for _ in $(seq 300); do grep -q ^ready served.out && break; sleep 0.1; done\n"
        "cat served.out"
    )


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"))
