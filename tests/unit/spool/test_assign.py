"""Tests of ``spool.assign``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.assign import (
    Assignment,
    AssignRecord,
    Wildcard,
    compile_assign,
    format_assign,
    format_line,
    lines_of,
    parse_assign,
    parse_record_data,
    publish_assign,
    read_assign,
)
from spool.cdb import ConstantDatabase
from spool.errors import SettingsError, SpoolError

FILE = Path("control/assign")
VECTOR = b"+:alias:7790:2108:/var/qmail/alias:-::\n+joe-:joe:507:100:/home/joe:-::\n=joe:joe:507:100:/home/joe:::\n.\n"
JOE = AssignRecord("joe", 507, 100, Path("/home/joe"))
JOE_DATA = b"\0".join([b"joe", b"507", b"100", b"/home/joe", b"", b""])


def wildcard_set(compiled: bytes, directory: Path) -> bytes | None:
    (directory / "x.cdb").write_bytes(compiled)
    return ConstantDatabase(directory / "x.cdb").get(b"")


def test_the_vector_parses_to_a_wildcard_for_all_one_for_joe_and_joe() -> None:
    assert parse_assign(VECTOR, file=FILE) == (
        Wildcard("", AssignRecord("alias", 7790, 2108, Path("/var/qmail/alias"), "-")),
        Wildcard("joe-", AssignRecord("joe", 507, 100, Path("/home/joe"), "-")),
        Assignment("joe", JOE),
    )


def test_the_vector_compiles_to_the_octets_of_qmail_newu() -> None:
    compiled = compile_assign(parse_assign(VECTOR, file=FILE))
    assert len(compiled) == 2238
    assert hashlib.sha256(compiled).hexdigest() == "6424c476edbb3ef8ec24c13ae9531c68bd2eeaca819423c732d1749ac12399cd"


def test_no_assignments_compile_to_one_record_with_empty_key_and_data() -> None:
    compiled = compile_assign(parse_assign(b".\n", file=FILE))
    assert len(compiled) == 2072
    assert compiled[2048:2056] == bytes(8)


def test_a_text_is_written_as_it_was_read() -> None:
    assert format_assign(parse_assign(VECTOR, file=FILE)) == VECTOR


def test_what_follows_the_dot_is_ignored() -> None:
    assert parse_assign(b"=joe:joe:507:100:/home/joe:::\n.end\nrubbish", file=FILE) == (Assignment("joe", JOE),)


def test_the_dot_needs_no_line_end() -> None:
    assert parse_assign(b".", file=FILE) == ()


def test_what_follows_the_seventh_colon_is_ignored() -> None:
    assert parse_assign(b"=joe:joe:507:100:/home/joe:::x:y\n.\n", file=FILE) == (Assignment("joe", JOE),)


def test_octets_that_are_not_utf_8_survive() -> None:
    text = b"=j\xf6:j\xf6:1:2:/home/j\xf6:-:\xff:\n.\n"
    assert format_assign(parse_assign(text, file=FILE)) == text


def test_numbers_and_paths_are_written_back_in_their_plain_form() -> None:
    text = b"=joe:joe:0507:0100:/home//joe/:::\n.\n"
    assert format_assign(parse_assign(text, file=FILE)) == b"=joe:joe:507:100:/home/joe:::\n.\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", r"found ''|colons"),
        (b"#joe:joe:507:100:/home/joe:::", "expected = or +"),
        (b"joe:joe:507:100:/home/joe:::", "expected = or +"),
        (b"=joe:joe:507:100:/home/joe::", "expected seven colons, found 6"),
        (b"=joe:joe:507:100:/home/joe:\0::", "NUL"),
        (b"=:joe:507:100:/home/joe:::", r"field 1 \(local part\)"),
        (b"=joe::507:100:/home/joe:::", r"field 2 \(user\)"),
        (b"=joe:joe:x:100:/home/joe:::", r"field 3 \(uid\): expected a number up to 4294967294, found 'x'"),
        (b"=joe:joe::100:/home/joe:::", r"field 3 \(uid\)"),
        (b"=joe:joe:-1:100:/home/joe:::", r"field 3 \(uid\)"),
        (b"=joe:joe:4294967295:100:/home/joe:::", r"field 3 \(uid\)"),
        (b"=joe:joe:99999999999:100:/home/joe:::", r"field 3 \(uid\)"),
        ("=joe:joe:\u0665:100:/home/joe:::".encode(), r"field 3 \(uid\)"),
        (b"=joe:joe:507:1_0:/home/joe:::", r"field 4 \(gid\)"),
        (b"=joe:joe:507:100::::", r"field 5 \(home\): expected an absolute path without .., found ''"),
        (b"=joe:joe:507:100:home/joe:::", r"field 5 \(home\)"),
        (b"=joe:joe:507:100:/home/../etc:::", r"field 5 \(home\)"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(line: bytes, complaint: str) -> None:
    with pytest.raises(SettingsError, match=rf"^control/assign: line 2: .*({complaint})"):
        parse_assign(b"=a:a:1:1:/a:::\n" + line + b"\n.\n", file=FILE)


def test_a_text_without_its_dot_may_have_been_cut() -> None:
    with pytest.raises(SettingsError, match="line 2: expected the closing dot, found the end of the file"):
        parse_assign(b"=a:a:1:1:/a:::\n", file=FILE)


def test_a_last_line_without_line_end_has_been_cut() -> None:
    with pytest.raises(SettingsError, match="line 1: it has no line end"):
        parse_assign(b"=a:a:1:1:/a:::", file=FILE)


def test_a_long_wrong_field_is_shown_cut() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_assign(b"=a:a:" + b"9" * 100_000 + b":1:/a:::\n.\n", file=FILE)
    assert len(str(caught.value)) < 300


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "assign").write_bytes(VECTOR)
    assert len(read_assign(tmp_path / "assign")) == 3


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="assign: No such file"):
        read_assign(tmp_path / "assign")


def test_last_octets_of_prefixes_are_kept_once_in_lower_case_in_order(tmp_path: Path) -> None:
    lines = [Wildcard(prefix, JOE) for prefix in ("VIP", "a-", "b-", "", "x.", "hip")]
    assert wildcard_set(compile_assign(lines), tmp_path) == b"p-."


def test_publishing_puts_a_readable_database_in_place(tmp_path: Path) -> None:
    publish_assign([Assignment("joe", JOE)], tmp_path / "assign.cdb")
    assert (tmp_path / "assign.cdb").stat().st_mode & 0o777 == 0o644
    assert list(lines_of(ConstantDatabase(tmp_path / "assign.cdb"))) == [Assignment("joe", JOE)]


def test_publishing_where_nothing_can_be_written_is_an_error_of_the_spool(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        publish_assign([], tmp_path / "missing" / "assign.cdb")


def test_a_database_is_turned_back_into_lines_in_order(tmp_path: Path) -> None:
    lines = parse_assign(VECTOR, file=FILE)
    (tmp_path / "x.cdb").write_bytes(compile_assign(lines))
    assert tuple(lines_of(ConstantDatabase(tmp_path / "x.cdb"))) == lines


def test_a_foreign_key_is_no_assignment() -> None:
    with pytest.raises(ValueError, match="does not begin with !"):
        list(lines_of([(b"127.", JOE_DATA)]))


@pytest.mark.parametrize("data", [b"", b"joe", b"joe\0" * 7, b"joe\0x\0001\0/home/joe\0\0", b"\0001\0001\0/h\0\0"])
def test_foreign_data_is_no_record(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"field"):
        parse_record_data(data)


@pytest.mark.parametrize("home", ["/a:b", "/a\nb"])
def test_a_foreign_record_that_no_line_can_hold_is_no_record(home: str) -> None:
    with pytest.raises(ValueError, match="contains a colon or a line end"):
        parse_record_data(b"\0".join([b"joe", b"1", b"1", home.encode(), b"", b""]))


def test_a_foreign_key_that_no_line_can_hold_is_no_assignment() -> None:
    with pytest.raises(ValueError, match=r"field 1 \(local part\): expected neither"):
        list(lines_of([(b"!a:b\0", JOE_DATA)]))


@pytest.mark.parametrize(
    "line",
    [
        Assignment("joe", AssignRecord("joe", 1, 1, Path("/a:b"))),
        Assignment("joe", AssignRecord("joe", 1, 1, Path("/a\nb"))),
        Assignment("joe", AssignRecord("joe", 1, 1, Path("a"))),
        Assignment("joe", AssignRecord("joe", 2**32, 1, Path("/a"))),
        Wildcard("joe:", JOE),
    ],
)
def test_a_line_that_would_not_be_read_back_is_not_written(line: Assignment | Wildcard) -> None:
    with pytest.raises(ValueError, match=r"field|is no line"):
        format_line(line)


@given(
    st.builds(
        AssignRecord,
        st.text("abc.-", min_size=1, max_size=5),
        st.integers(0, 2**32 - 2),
        st.integers(0, 2**32 - 2),
        st.just(Path("/home/x y")),
        st.sampled_from(["", "-", "-/"]),
        st.text("aB-\u00e9", max_size=5),
    )
)
def test_a_record_survives_the_database(record: AssignRecord) -> None:
    assert parse_record_data(format_line(Assignment("x", record))[3:-2].replace(b":", b"\0")) == record
