"""A companion's surroundings: the message as standard input."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from delivery.messages import standard_input

MESSAGE = b"Subject: x\n\nbody\n"


@pytest.fixture(autouse=True)
def message() -> Iterator[bytes]:
    """The message, which is the standard input of this process for the time of a test."""
    kept, descriptor = os.dup(0), standard_input([MESSAGE])
    os.dup2(descriptor, 0)
    os.close(descriptor)
    yield MESSAGE
    os.dup2(kept, 0)
    os.close(kept)
