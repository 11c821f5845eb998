"""Tests of ``delivery.plans``."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.destinations import Destination, Forward, MboxFile, OwnMaildrop, Program
from delivery.errors import InstructionsError, NoInstructionsError
from delivery.plans import Plan, make_plan
from delivery.settings import DeliverySettings
from tests.unit.delivery.homes import TestHome


def plan(home: TestHome, extension: str | None = None, *, sender: str | None = "s@x", **settings: object) -> Plan:
    follow_links = bool(settings.pop("follow_links", True))
    return make_plan(
        home.recipient(extension),
        sender,
        home.files(follow_links=follow_links),
        DeliverySettings(**settings),  # type: ignore[arg-type]
    )


def destinations(found: Plan) -> list[Destination]:
    return [instruction.destination for instruction in found.instructions]


def test_without_a_file_mail_goes_to_the_maildrop(home: TestHome) -> None:
    found = plan(home)
    assert (found.file, destinations(found), found.new_sender) == (None, [OwnMaildrop()], "s@x")
    assert found.place(found.instructions[0]) == "by default"


def test_a_dot_qmail_file_decides_before_a_dot_forward(home: TestHome) -> None:
    home.write(".qmail", "a@b\n")
    home.write(".forward", "c@d\n")
    found = plan(home)
    assert (found.file, destinations(found)) == (f"{home.path}/.qmail", [Forward("a@b")])
    assert found.place(found.instructions[0]) == f"{home.path}/.qmail: line 1"
    assert destinations(plan(home, dot_qmail=False)) == [Forward("c@d")]


def test_the_first_place_of_a_dot_forward_decides(home: TestHome, tmp_path: Path) -> None:
    central = tmp_path / "a.org" / "joe"
    central.parent.mkdir()
    central.write_text("\\joe, c@d")
    central.chmod(0o644)
    places = (f"{tmp_path}/{{domain}}/{{user}}", "{home}/.forward")
    assert destinations(plan(home, dot_forward=places, follow_links=False)) == [OwnMaildrop(), Forward("c@d")]
    home.write(".forward", "e@f")
    assert destinations(plan(home, dot_forward=places[::-1], follow_links=False)) == [Forward("e@f")]


@pytest.mark.parametrize("name", [".qmail", ".forward"])
def test_an_empty_file_means_the_maildrop(home: TestHome, name: str) -> None:
    home.write(name, "")
    assert (plan(home).file, destinations(plan(home))) == (f"{home.path}/{name}", [OwnMaildrop()])


def test_a_file_of_comments_throws_mail_away(home: TestHome) -> None:
    home.write(".qmail", "# away with it\n")
    assert destinations(plan(home)) == []


def test_an_extension_has_files_of_its_own(home: TestHome) -> None:
    home.write(".forward", "never@here")
    with pytest.raises(NoInstructionsError):
        plan(home, "List")
    assert destinations(plan(home, "List", unclaimed_extensions="maildrop")) == [OwnMaildrop()]
    home.write(".qmail-default", "./all\n")
    found = plan(home, "List")
    assert (destinations(found), found.default) == ([MboxFile("./all")], "List")
    home.write(".qmail-list", "a@b")
    home.write(".qmail-list-owner", "")
    found = plan(home, "List")
    assert (destinations(found), found.default, found.new_sender) == (
        [Forward("a@b")],
        None,
        "joe-List-owner@a.org",
    )


@pytest.mark.parametrize(("name", "text"), [(".qmail", "\n"), (".forward", "|\n"), (".forward", ":include:/no/such")])
def test_a_wrong_file_is_named(home: TestHome, name: str, text: str) -> None:
    home.write(name, text)
    with pytest.raises(InstructionsError, match=f"{home.path}/{name}"):
        plan(home)


def test_an_included_file_lies_in_the_home_where_users_share_a_uid(home: TestHome, tmp_path: Path) -> None:
    outside = tmp_path / "list"
    outside.write_text("secret@x")
    outside.chmod(0o644)
    home.write("list", "a@b")
    home.write(".forward", f":include:{home.path}/list")
    assert destinations(plan(home, follow_links=False)) == [Forward("a@b")]
    home.write(".forward", f":include:{outside}")
    assert destinations(plan(home)) == [Forward("secret@x")]
    with pytest.raises(InstructionsError, match="leads out of the home"):
        plan(home, follow_links=False)


def test_an_executable_file_is_a_list_of_addresses(home: TestHome) -> None:
    home.write(".qmail", "a@b\n|true\n", 0o700)
    with pytest.raises(InstructionsError, match="only addresses"):
        plan(home)


@pytest.mark.parametrize(("name", "text"), [(None, ""), (".qmail", ""), (".forward", "# nothing\n")])
def test_the_default_delivery_stands_for_the_maildrop(home: TestHome, name: str | None, text: str) -> None:
    if name is not None:
        home.write(name, text)
    found = plan(home, default_delivery="# all users\n|preline procmail\n./Mailbox\n")
    assert destinations(found) == [Program("preline procmail"), MboxFile("./Mailbox")]
    assert found.place(found.instructions[0]) == "[delivery] default_delivery: line 2"


def test_a_file_that_says_something_decides_before_the_default_delivery(home: TestHome) -> None:
    home.write(".qmail", "a@b\n")
    assert destinations(plan(home, default_delivery="./Mailbox")) == [Forward("a@b")]


def test_the_default_delivery_is_no_claim_to_an_extension(home: TestHome) -> None:
    with pytest.raises(NoInstructionsError):
        plan(home, "lists", default_delivery="./Mailbox")
    found = plan(home, "lists", default_delivery="./Mailbox", unclaimed_extensions="maildrop")
    assert destinations(found) == [MboxFile("./Mailbox")]
