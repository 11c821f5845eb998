"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A time limit for single examples fails on a busy machine, and says nothing about the code.
settings.register_profile("mailspool", deadline=None)
settings.load_profile("mailspool")


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Syncs are made and cost nothing: what a power cut would lose is modelled (``tests.crash.losing``), never tried.

    Programs that a test starts do sync.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield
