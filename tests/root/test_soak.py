"""Some mixed load with kills, reloads and homes that move: every message is accounted for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
SOAK_SECONDS: Final = 900  # it waits for what it has begun, however slow the machine


@pytest.mark.root
@pytest.mark.parametrize("uids", [(), ("--many-uids",)], ids=["one-uid", "many-uid"])
def test_every_message_is_accounted_for_after_mixed_load(uids: tuple[str, ...]) -> None:
    soak = subprocess.run(
        [sys.executable, "-m", "bench.soak", "--minutes", "0.4", "--disturb-seconds", "3", *uids],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        text=True,
        timeout=SOAK_SECONDS,
    )
    assert soak.returncode == 0, soak.stdout[-6000:] + soak.stderr[-2000:]
