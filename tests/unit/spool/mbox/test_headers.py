import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.headers import (
    REWRITTEN_FIELDS,
    STORAGE_FIELDS,
    FieldFilter,
    FieldNames,
    Hints,
    end_of_header,
    read_hints,
)
from tests.unit.spool.mbox.chunking import one_by_one, pieces

LIKELY = st.lists(
    st.sampled_from(
        [
            b"Status: RO",
            b"x-uid:",
            b"Subject: a",
            b"X-UIDLong: b",
            b"Content-Length: 7",
            b"\n",
            b"\n",
            b"\r\n",
            b" folded",
            b"\t",
            b"S",
            b":",
            b"A field longer than any name of the storage: c",
        ]
    ),
    max_size=16,
).map(b"".join)


def kept(parts: list[bytes], names: FieldNames = STORAGE_FIELDS) -> bytes:
    fields = FieldFilter(names)
    return b"".join([*map(fields.feed, parts), fields.finish()])


def kept_by_lines(message: bytes) -> bytes:
    """The same line by line: slow and plain."""
    result, dropping, in_body = [], False, False
    for line in message.splitlines(keepends=True):
        in_body = in_body or line in (b"\n", b"\r\n")
        if not in_body and line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].lower() + b":"
            dropping = name in STORAGE_FIELDS.marks and b":" in line
        if in_body or not dropping:
            result.append(line)
    return b"".join(result)


def test_storage_fields_go_whatever_their_case_and_with_their_folded_lines() -> None:
    message = b"STATUS: RO\nSubject: a\nx-keywords: b\n c\n\td\nX-IMAPbase: 1 2\nTo: e\n\nStatus: body\n"
    assert kept([message]) == b"Subject: a\nTo: e\n\nStatus: body\n"
    assert kept(one_by_one(message)) == b"Subject: a\nTo: e\n\nStatus: body\n"


@pytest.mark.parametrize(
    "field",
    [b"Status", b"X-Status", b"X-UID", b"X-UIDL", b"X-Keywords", b"X-IMAP", b"X-IMAPbase", b"Content-Length"],
)
def test_each_storage_field_goes(field: bytes) -> None:
    assert kept([b"A: b\r\n" + field + b": 1\r\nC: d\r\n\r\n"]) == b"A: b\r\nC: d\r\n\r\n"


def test_fields_that_only_begin_like_one_stay() -> None:
    message = b"Status-Of: a\nX-UIDs: b\nContent-Lengthy: c\nStatus\n: d\n\n"
    assert kept([message]) == message


def test_a_field_without_its_line_end_goes_too() -> None:
    assert kept([b"A: b\nStatus: R"]) == b"A: b\n"
    assert kept([b"A: b\nStatus:", b" R"]) == b"A: b\n"
    assert kept([b"Status: R\n", b" R"]) == b""


def test_a_continuation_at_the_very_beginning_stays() -> None:
    assert kept([b" a\nB: c\n"]) == b" a\nB: c\n"


def test_a_long_field_is_passed_or_taken_out_in_pieces() -> None:
    assert kept([b"Subject: " + b"a" * 50, b"a" * 50, b"a\nB: c\n\n"]) == b"Subject: " + b"a" * 101 + b"\nB: c\n\n"
    assert kept([b"Status: " + b"a" * 50, b"a" * 50, b"a\n more\nB: c\n\n"]) == b"B: c\n\n"
    assert kept([b"Status: R\n", b" " + b"a" * 50, b"a", b"\n", b"B: c\n"]) == b"B: c\n"


def test_another_set_of_names_can_be_taken_out() -> None:
    assert kept([b"Lines: 3\nStatus: R\n\n"], REWRITTEN_FIELDS) == b"Status: R\n\n"


@given(st.data(), LIKELY)
def test_what_is_kept_does_not_depend_on_the_cuts(data: st.DataObject, message: bytes) -> None:
    expected = kept_by_lines(message)
    assert kept([message]) == expected
    assert kept(data.draw(pieces(message))) == expected
    assert kept([expected]) == expected


def test_very_many_fields_take_linear_time() -> None:
    # CVE-2024-23184 and -23185 were headers that kept Dovecot busy.
    started = time.process_time()
    assert kept([b"Status: R\nX: y\n" * 100_000]) == b"X: y\n" * 100_000
    assert kept([b"Status: R\n" + b" x\n" * 1_000_000]) == b""
    assert kept([b"Status: R" * 100_000]) == b""
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (b"", None),
        (b"a\n", None),
        (b"\n", (0, 1)),
        (b"\r\nb", (0, 2)),
        (b"a\n\nb", (2, 3)),
        (b"a\r\n\r\nb\n\n", (3, 5)),
        (b"a\n\nb\r\n\r\n", (2, 3)),
        (b"a\r\n\r", None),
    ],
)
def test_the_header_ends_at_the_first_blank_line(lines: bytes, end: tuple[int, int] | None) -> None:
    assert end_of_header(lines) == end


def test_hints_are_read_from_the_header_only() -> None:
    head = b"Subject: a\n\nStatus: RO\nContent-Length: 3\nX-IMAP: 1\nSubject: FOLDER INTERNAL DATA\n"
    assert read_hints(head) == Hints(body=12, fields=[], content_length=None, read=False, internal=False)


@pytest.mark.parametrize(("value", "read"), [(b"RO", True), (b"OR", True), (b"O", False), (b"", False)])
def test_status_tells_whether_a_message_was_read(value: bytes, read: bool) -> None:
    assert read_hints(b"A: b\nstatus: " + value + b"\n\n").read is read


def test_x_status_does_not_tell_it() -> None:
    assert not read_hints(b"X-Status: RO\n\n").read


@pytest.mark.parametrize(
    ("value", "length"), [(b"12", 12), (b" 12 \r", 12), (b"1x", None), (b"-1", None), (b"9" * 30, None)]
)
def test_content_length_is_a_number_or_nothing(value: bytes, length: int | None) -> None:
    assert read_hints(b"content-LENGTH:" + value + b"\nA: b\n\n").content_length == length


@pytest.mark.parametrize(
    ("head", "internal"),
    [
        (b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\n", True),
        (b"X-IMAPbase: 1 2\nsubject: folder internal data\n\n", True),
        (b"X-IMAPbase: 1 2\nSubject: hello\n\n", False),
        (b"Subject: DON'T DELETE THIS MESSAGE\n\n", False),
        (b"X-IMAP-Other: 1\nSubject: DON'T DELETE THIS MESSAGE\n\n", False),
    ],
)
def test_the_internal_message_is_known_by_field_and_subject(head: bytes, internal: bool) -> None:
    assert read_hints(head).internal is internal
