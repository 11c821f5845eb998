"""Counts the sessions of each user over all workers, for ``connections_per_user``."""

from __future__ import annotations

from collections import Counter

from spool.names import UserName


class Sessions:
    """Sessions by worker and user, so that those of a worker that died can be given back."""

    def __init__(self) -> None:
        self._by_worker: dict[int, Counter[UserName]] = {}
        self._total: Counter[UserName] = Counter()

    def count(self, user: UserName) -> int:
        """Sessions the user has now."""
        return self._total[user]

    def opened(self, client_id: int, user: UserName) -> None:
        """A session begins in a worker."""
        self._by_worker.setdefault(client_id, Counter())[user] += 1
        self._total[user] += 1

    def ended(self, client_id: int, user: UserName) -> bool:
        """A session ended in a worker; returns False for one that never began there, which is not believed."""
        if not self._by_worker.get(client_id, Counter())[user]:
            return False
        self._take(self._by_worker[client_id], user, 1)
        self._take(self._total, user, 1)
        return True

    def worker_gone(self, client_id: int) -> None:
        """All sessions of a worker ended with it."""
        for user, sessions in self._by_worker.pop(client_id, Counter()).items():
            self._take(self._total, user, sessions)

    @staticmethod
    def _take(counter: Counter[UserName], user: UserName, sessions: int) -> None:
        counter[user] -= sessions
        if not counter[user]:
            del counter[user]
