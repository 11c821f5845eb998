"""What a test needs from the machine: missing, it is a failure in CI and a skip that names it elsewhere."""

from __future__ import annotations

import os
import shutil

import pytest


def need(present: bool, what: str) -> None:
    """Go on only if something is there."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}; .ci/debian-packages lists what the tests need")
    pytest.skip(f"missing: {what}")


def need_program(*names: str) -> None:
    """Go on only if these programs are installed."""
    for name in names:
        need(shutil.which(name) is not None, name)


def need_root() -> None:
    """Go on only as root."""
    need(os.geteuid() == 0, "root")
