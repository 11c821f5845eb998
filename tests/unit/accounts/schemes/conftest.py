from __future__ import annotations

import pytest

from accounts.schemes import crypts


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least costs that the schemes have: what is tested does not depend on them."""
    monkeypatch.setattr(crypts, "_ARGON2_COST", {"memory_cost": 8, "rounds": 1, "parallelism": 1})
    monkeypatch.setattr(crypts, "_BCRYPT_ROUNDS", 4)
    monkeypatch.setattr(crypts, "_SHA_CRYPT_ROUNDS", 1000)
