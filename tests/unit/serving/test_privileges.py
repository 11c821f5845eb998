"""What needs no root; the rest is in tests/root."""

from __future__ import annotations

import os

import pytest

from serving.privileges import Identity, PrivilegeError, become, end_with_parent
from tests.unit.serving.forks import outcome_of_child


def test_uid_0_is_refused() -> None:
    with pytest.raises(PrivilegeError, match="refusing to run as uid 0"):
        become(Identity(0, 0))


def test_an_ordinary_user_cannot_become_another() -> None:
    def attempt() -> str:
        if os.geteuid() == 0:
            os.setresuid(12345, 12345, 12345)
        with pytest.raises(PrivilegeError, match="only root can become uid 54321"):
            become(Identity(54321, 54321))
        become(Identity(os.geteuid(), os.getgid()))
        return "refused, and stayed"

    assert outcome_of_child(attempt) == "refused, and stayed"


def test_a_child_whose_parent_has_ended_is_told_so() -> None:
    def attempt() -> str:
        end_with_parent(os.getppid())
        with pytest.raises(PrivilegeError, match="the parent has ended"):
            end_with_parent(1 if os.getppid() != 1 else 2)
        return "told"

    assert outcome_of_child(attempt) == "told"
