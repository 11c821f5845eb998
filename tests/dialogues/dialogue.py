"""The text form of a session, and the runner that plays it against ``FakeShell``.

A file is a TOML header (``about``, ``policy``, ``users``, ``messages``, ``scripts``), a line ``---``, and the dialogue:

    C: RETR 1              a line of the client; \\x00 and the like as in Python
    S: +OK 120 octets      the server's next line, exactly
    ! silence              the client says nothing until the idle time-out
    = deleted 1 2          UPDATE has removed these messages, and no others
    = nothing deleted      no UPDATE has taken place
    = submitted 12         XTND XMIT has handed over a message of so many octets
    = closed               the connection is closed, and nothing more was said

Lines that begin with ``#`` and blank lines are for the reader. Several client lines in a row are pipelined.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from popd.pop3.steps import SessionPolicy
from tests.dialogues.fake_shell import Account, FakeShell, MemoryMaildrop, ScriptedMechanism


@dataclass(frozen=True)
class Dialogue:
    """A session as text: the shell it starts with, and numbered lines."""

    path: Path
    shell: FakeShell
    lines: tuple[tuple[int, str], ...]


def load(path: Path) -> Dialogue:
    text = path.read_text("ascii")
    header, _, body = text.partition("\n---\n")
    settings = tomllib.loads(header)
    first = header.count("\n") + 3
    lines = tuple((n, line) for n, line in enumerate(body.splitlines(), first) if line and not line.startswith("#"))
    return Dialogue(path, _shell(settings), lines)


def play(dialogue: Dialogue) -> None:
    """Play the dialogue; AssertionError names file and line of the first difference."""
    shell = dialogue.shell
    for number, line in dialogue.lines:
        where = f"{dialogue.path.name}:{number}"
        match line[:2], line[3:]:
            case "C:", said:
                assert not shell.closed, f"{where}: the connection is closed already"
                shell.line(_octets(said))
            case "S:", expected:
                answered = _next_line(shell)
                assert answered == _octets(expected), f"{where}: {answered!r}"
            case "! ", _:
                shell.fall_silent()
            case "= ", _:
                _check(shell, line[2:], where)
            case _:
                raise AssertionError(f"{where}: no such mark")
    assert not shell.sent, f"{dialogue.path.name}: more was said: {bytes(shell.sent)!r}"


def _check(shell: FakeShell, fact: str, where: str) -> None:
    match fact.split():
        case ["closed"]:
            assert shell.closed, f"{where}: still open"
            assert not shell.sent, f"{where}: more was said: {bytes(shell.sent)!r}"
        case ["nothing", "deleted"]:
            assert shell.committed is None or not shell.committed.deleted, where
        case ["deleted", *numbers]:
            assert shell.committed is not None, f"{where}: no UPDATE"
            assert shell.committed.deleted == set(map(int, numbers)), where
        case ["submitted", octets]:
            assert [len(message) for message in shell.submitted] == [int(octets)], where
        case _:
            raise AssertionError(f"{where}: no such fact")


def _next_line(shell: FakeShell) -> bytes | None:
    end = shell.sent.find(b"\r\n")
    if end < 0:
        return None
    line = bytes(shell.sent[:end])
    del shell.sent[: end + 2]
    return line


def _octets(text: str) -> bytes:
    octets, _ = codecs.escape_decode(text.encode("ascii"))
    assert isinstance(octets, bytes)
    return octets


def _shell(settings: Mapping[str, Any]) -> FakeShell:
    policy = dict(settings.get("policy", {}))
    if "timestamp" in policy:
        policy["timestamp"] = policy["timestamp"].encode("ascii")
    for name in ("mechanisms_cleartext", "mechanisms_tls"):
        if name in policy:
            policy[name] = tuple(policy[name])
    messages = [_message(entry) for entry in settings.get("messages", [])]
    maildrop = MemoryMaildrop(
        messages,
        [entry.get("unique_id", f"id{n}") for n, entry in enumerate(settings.get("messages", []), 1)],
        broken={n for n, entry in enumerate(settings.get("messages", []), 1) if entry.get("broken")},
        **settings.get("maildrop", {}),
    )
    accounts = {
        name.encode("ascii"): Account(
            maildrop,
            password=user["password"].encode("ascii") if "password" in user else None,
            apop_secret=user["apop_secret"].encode("ascii") if "apop_secret" in user else None,
            rpop={remote.encode("ascii") for remote in user.get("rpop", [])},
        )
        for name, user in settings.get("users", {}).items()
    }
    scripts = [
        ScriptedMechanism(
            script["mechanism"],
            script["user"].encode("ascii"),
            [response.encode("ascii") for response in script["responses"]],
            [challenge.encode("ascii") for challenge in script["challenges"]],
            script.get("server_first", False),
        )
        for script in settings.get("scripts", [])
    ]
    return FakeShell(SessionPolicy(**policy), accounts, scripts)


def _message(entry: Mapping[str, Any]) -> bytes:
    """A message from its text (LF line ends, escapes as in TOML), or one of a given size with nothing in it to mind."""
    if "text" in entry:
        text: str = entry["text"]
        return text.replace("\n", "\r\n").encode("latin-1")
    octets: int = entry["octets"]
    head = b"Subject: test\r\n\r\n"
    return head + b"x" * (octets - len(head) - 2) + b"\r\n"
