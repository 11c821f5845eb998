"""Lets opening fail, as it does for whoever has no rights, whether or not the tests are run by root."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest


def deny(monkeypatch: pytest.MonkeyPatch, *names: object, error: int = errno.EACCES) -> None:
    """Opening a path, or the last part of one, that is in ``names`` fails from now on."""
    opened = os.open

    def failing(path: Any, *arguments: Any, **keywords: Any) -> int:
        if path in names or str(path) in map(str, names):
            raise OSError(error, os.strerror(error), str(path))
        return opened(path, *arguments, **keywords)

    monkeypatch.setattr(os, "open", failing)
