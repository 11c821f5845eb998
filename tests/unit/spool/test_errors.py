"""Tests of ``spool.errors``."""

from __future__ import annotations

import pytest

from spool import errors
from spool.errors import (
    EnhancedStatus,
    MalformedNameError,
    NoSuchUserError,
    QuotaExceededForGoodError,
    SpoolError,
)

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SpoolError)]


def test_a_status_is_written_as_on_the_wire() -> None:
    assert str(EnhancedStatus(4, 2, 1)) == "4.2.1"


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_name_that_can_never_be_right_is_permanent_and_what_the_site_wants_so(kind: type[SpoolError]) -> None:
    assert kind.status.permanent == (kind in {MalformedNameError, NoSuchUserError, QuotaExceededForGoodError})


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_text_is_one_line_of_ascii_without_paths(kind: type[SpoolError]) -> None:
    assert kind.public_text.isascii()
    assert kind.public_text.isprintable()
    assert "/" not in kind.public_text
