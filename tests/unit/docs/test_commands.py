"""Commands shown anywhere are commands of our programs, and the man pages name all options."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.pages import CHECKOUT, PAGES, blocks, name_of
from tools import (
    deliver_alone,
    mailspool,
    spool_assign,
    spool_check,
    spool_convert,
    spool_expire,
    spool_import,
    spool_quota,
    spool_uidl,
)
from tools.spool_deliver import EXIT_CODES

PARSERS = {
    "mailspool": mailspool._parser(),
    "spool-assign": spool_assign._parser(),
    "spool-check": spool_check._parser(),
    "spool-convert": spool_convert._parser(),
    "spool-deliver": deliver_alone.command_line(EXIT_CODES["qmail"]),
    "spool-expire": spool_expire._parser(),
    "spool-import": spool_import._parser(),
    "spool-quota": spool_quota._parser(),
    "spool-uidl": spool_uidl._parser(),
}
MAN = CHECKOUT / "docs/reference/man"
_COMMAND = re.compile(
    r"(?:^|[|=/ ])"
    r"((?:mailspool (?:init|user|config|serve|status)|spool-assign (?:compile|lookup|dump|from-[a-z]+)"
    r"|spool-check |spool-convert |spool-deliver |spool-expire |spool-import "
    r"|spool-quota (?:show|set|unset)|spool-uidl (?:list|import))"
    r"[^|&;#>`]*)"
)


def shown_commands(page: Path) -> Iterator[str]:
    """Commands of ours in blocks, fenced or indented, without what a shell does with them."""
    fenced = "".join(block.text for block in blocks(page)).splitlines()
    indented = [line for line in page.read_text("utf-8").splitlines() if line.startswith("    ")]
    for line in fenced + indented:
        found = _COMMAND.search(line)
        if found and not line.lstrip().startswith("ln ") and "…" not in found[1]:
            yield _without_outer_quote(found[1]).strip()


def _without_outer_quote(command: str) -> str:
    """Settings of mail transports have a command in quotes: the closing one and what follows is no part of it."""
    return command.rpartition('"')[0] if command.count('"') % 2 else command


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from actions_of(each)


@pytest.mark.parametrize("program", PARSERS)
def test_the_man_page_names_every_option_and_action_and_no_other(program: str) -> None:
    text = (MAN / f"{program}.1").read_text("utf-8").replace("\\-", "-")
    options = {option for action in actions_of(PARSERS[program]) for option in action.option_strings}
    actions = {
        name
        for action in actions_of(PARSERS[program])
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }
    named = set(re.findall(r"--[a-z][a-z-]*[a-z]", text))
    assert named == {option for option in options if option.startswith("--")} - ({"--help"} - named)
    assert all(re.search(rf"\b{action}\b", text) for action in actions)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_shown_on_a_page_are_understood_by_the_program(page: Path) -> None:
    for command in shown_commands(page):
        program, *arguments = shlex.split(command)
        PARSERS[program].parse_args(arguments)


def test_commands_are_found_in_all_kinds_of_blocks() -> None:
    assert len(list(shown_commands(CHECKOUT / "README.md"))) >= 3
    assert len(list(shown_commands(CHECKOUT / "docs/tutorial/first-site.md"))) >= 12
    assert len(list(shown_commands(CHECKOUT / "docs/how-to/deliver.md"))) == 3
    assert len(list(shown_commands(CHECKOUT / "docs/how-to/exim.md"))) == 1
    assert len(list(shown_commands(CHECKOUT / "docs/how-to/opensmtpd.md"))) == 1
