"""Watches what ``spool.durable`` changes, and knows what of it a power cut could still undo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

_WRITES: Final = frozenset({"ftruncate", "pwrite", "write"})
_APPEARING: Final = {"link": ("dst", "dst_dir_fd"), "rename": ("dst", "dst_dir_fd"), "symlink": ("dst", "dir_fd")}
_LEAVING: Final = frozenset({"rmdir", "unlink"})


class WatchingOs:
    """An ``os`` that remembers which files have been written, and which directories have changed, since their sync.

    A name that a rename takes away is not counted: where that matters, the same file has a new name that is.

    Attributes:
        unsynced: those files and directories, by their present or last path.
    """

    def __init__(self) -> None:
        self.unsynced: set[Path] = set()

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)

        def watched(*arguments: Any, **names: Any) -> Any:
            before = _opened(arguments[0]) if name == "fsync" else None
            made = name == "open" and not _named(arguments[0], names.get("dir_fd")).exists()
            result = value(*arguments, **names)
            if name in _WRITES:
                self.unsynced.add(_opened(arguments[0]))
            elif name in _APPEARING:
                self._renamed(name, arguments, names)
            elif name in _LEAVING:
                gone = _named(arguments[0], names.get("dir_fd"))
                self.unsynced.discard(gone)
                self.unsynced.add(gone.parent)
            elif made:
                self.unsynced.add(_opened(result).parent)
            elif before is not None:
                self.unsynced.discard(before)
            return result

        return watched if callable(value) else value

    def _renamed(self, name: str, arguments: tuple[Any, ...], names: dict[str, Any]) -> None:
        source = _named(arguments[0], names.get("src_dir_fd"))
        target = _named(arguments[1], names.get(_APPEARING[name][1]))
        self.unsynced.add(target.parent)
        if name == "rename" and source in self.unsynced:
            self.unsynced.remove(source)
            self.unsynced.add(target)


def _opened(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _named(path: str | Path, dir_fd: int | None) -> Path:
    return Path(path) if dir_fd is None else _opened(dir_fd) / path
