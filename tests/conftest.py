"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A time limit for single examples fails on a busy machine, and says nothing about the code.
settings.register_profile("mailspool", deadline=None)
settings.load_profile("mailspool")
