import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import MailboxUnavailableError
from spool.mbox.scan import scan, sound_end
from spool.mbox.stored_form import StoredForm
from tests.unit.spool.mbox.mbox_files import FROM, mbox_of, reader_of

CRLF_FROM = FROM.replace(b"\n", b"\r\n")


def scanned(path: Path, content: bytes) -> list[bytes]:
    """The messages without their From_ lines; checks that together they cover the file."""
    path.write_bytes(content)
    with reader_of(path) as reader:
        reader.end = sound_end(reader)
        records = list(scan(reader))
        position = records[0].start if records else reader.end
        for record in records:
            assert record.start == position
            position = record.stop
        assert position == reader.end
    return [content[record.content : record.end] for record in records]


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b"", []),
        (mbox_of(b"A: b\n\nc\n"), [b"A: b\n\nc\n"]),
        (mbox_of(b"A: b\n\nc\n", b"D: e\n\nf\n"), [b"A: b\n\nc\n", b"D: e\n\nf\n"]),
        (mbox_of(b"", b"\n", b"A: b\n", b"A: b\n\n", b""), [b"", b"\n", b"A: b\n", b"A: b\n\n", b""]),
        (FROM + b"A: b\n\nc\n\n\n\n" + FROM, [b"A: b\n\nc\n\n\n", b""]),
        (FROM + FROM + b"A: b\n", [b"", b"A: b\n"]),
        (CRLF_FROM + b"A: b\r\n\r\nc\r\n\r\n" + CRLF_FROM + b"\r\n", [b"A: b\r\n\r\nc\r\n", b""]),
        (CRLF_FROM + b"\r\n" + FROM + b"\n", [b"", b""]),
        (CRLF_FROM + b"A: b\n\nc\n\r\n" + FROM + b"d\r\n\n", [b"A: b\n\nc\n", b"d\r\n"]),
        (b"From someone without a date\nA: b\n\nc\n", [b"A: b\n\nc\n"]),
        (b"\n\r\n\0\0" + FROM + b"A: b\n", [b"A: b\n"]),
    ],
)
def test_messages_end_before_the_blank_line_and_the_next_from_line(
    tmp_path: Path, content: bytes, messages: list[bytes]
) -> None:
    assert scanned(tmp_path / "mbox", content) == messages


def test_a_from_line_without_a_blank_line_before_it_must_be_complete(tmp_path: Path) -> None:
    torn = FROM + b"A: b\n\ntorn\n"
    assert scanned(tmp_path / "mbox", torn + FROM + b"c\n\n") == [b"A: b\n\ntorn\n", b"c\n"]
    merged = torn + FROM[:-1] + b" and more\nc\n"
    assert scanned(tmp_path / "mbox", merged) == [merged[len(FROM) :]]


@pytest.mark.parametrize("line", [b"From here on\n", b"From " + b"x" * 2000 + FROM[5:], b">" + FROM, b" " + FROM])
def test_text_that_is_no_from_line_separates_nothing(tmp_path: Path, line: bytes) -> None:
    message = b"A: b\n\nc\n\n" + line + b"d\n"
    assert scanned(tmp_path / "mbox", mbox_of(message)) == [message]


@pytest.mark.parametrize("content", [b"hello\n", b"\n\nhello\n" + FROM, b"xFrom a\n", b"\0\0x"])
def test_a_file_that_begins_with_anything_else_is_no_mbox(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(MailboxUnavailableError):
        scanned(tmp_path / "mbox", content)


@pytest.mark.parametrize("nobodys", [b"\0" * 5, b"\0" * 200_000, b"From a@b", b"F", b"From", FROM[:-1], b"From a\0\0"])
@pytest.mark.parametrize("mail", [mbox_of(b"A: b\n\nc\n"), CRLF_FROM + b"c\r\n\r\n", b"", b"\n"])
def test_nuls_and_an_unfinished_from_line_at_the_end_are_nobodys(tmp_path: Path, mail: bytes, nobodys: bytes) -> None:
    assert scanned(tmp_path / "mbox", mail + nobodys) == scanned(tmp_path / "mbox", mail)


@pytest.mark.parametrize("torn", [b"A: b\n\nFrom", b"A: b\n\nc", b"A", b"A: b\n\nc\nFrom d", b"x" * 3000])
def test_another_torn_end_belongs_to_the_last_message(tmp_path: Path, torn: bytes) -> None:
    # The first is torn in a From_ line's beginning, which a line of one word more would make text.
    expected = torn.removesuffix(b"\nFrom") if torn.endswith(b"\n\nFrom") else torn
    assert scanned(tmp_path / "mbox", FROM + torn) == [expected]


def test_what_follows_nuls_within_a_file_is_no_separator(tmp_path: Path) -> None:
    # Else a message could hold another one that no filter has seen.
    message = b"A: b\n\nc\n\n\0" + FROM + b"d\n"
    assert scanned(tmp_path / "mbox", mbox_of(message)) == [message]


def with_length(length: int, body: bytes) -> bytes:
    return b"content-length: %d\n\n" % length + body


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_content_length_keeps_from_lines_in_a_body(tmp_path: Path, line_end: bytes) -> None:
    body = b"a\n\n" + mbox_of(b"inner\n") + b"b\n"
    message = with_length(len(body), body)
    assert scanned(tmp_path / "mbox", FROM + message + line_end + mbox_of(b"c\n")) == [message, b"c\n"]
    assert scanned(tmp_path / "mbox", FROM + message + line_end) == [message]
    assert scanned(tmp_path / "mbox", FROM + message) == [message]


def test_content_length_keeps_a_from_line_at_the_beginning_of_a_body(tmp_path: Path) -> None:
    body = mbox_of(b"inner\n")
    message = with_length(len(body), body)
    assert scanned(tmp_path / "mbox", mbox_of(message, b"c\n")) == [message, b"c\n"]


@pytest.mark.parametrize("length", [0, 1, 3, 5, 40, 44, 45, 10**9, 10**17])
def test_a_content_length_that_lies_is_not_used(tmp_path: Path, length: int) -> None:
    message = with_length(length, b"a\nb\n")
    assert scanned(tmp_path / "mbox", mbox_of(message, b"c\n", b"d\n")) == [message, b"c\n", b"d\n"]


def test_a_content_length_behind_a_long_header_is_not_seen(tmp_path: Path) -> None:
    body = b"a\n\n" + mbox_of(b"inner\n")
    message = b"A: b\n" * 5000 + with_length(len(body), body)
    assert len(scanned(tmp_path / "mbox", mbox_of(message))) == 2


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([b"\n", FROM, b"\0", b"a\r\n\r", b"\n\n\n"]))))
def test_scanning_finds_what_was_stored(tmp_path_factory: pytest.TempPathFactory, messages: list[bytes]) -> None:
    stored = []
    for message in messages:
        form = StoredForm(unquote=True)
        stored.append(form.feed(message) + form.finish())
    assert scanned(tmp_path_factory.getbasetemp() / "mbox", mbox_of(*stored)) == stored


def test_a_file_full_of_almost_separators_takes_linear_time(tmp_path: Path) -> None:
    started = time.process_time()
    scanned(tmp_path / "mbox", mbox_of(b"\nFrom " * 20_000, b"From a " + b"Thu Jan " * 10_000))
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("body", "quoted_lines"),
    [(b"a\n", 0), (b">From b\n>>>From c\nFrom here\n", 2), (b"a >From b\n", 0), (b">" * 20 + b"From b\n", None)],
)
def test_quoted_lines_are_counted_unless_they_are_quoted_very_often(
    tmp_path: Path, body: bytes, quoted_lines: int | None
) -> None:
    (tmp_path / "mbox").write_bytes(mbox_of(b"A: b\n\n" + body))
    with reader_of(tmp_path / "mbox") as reader:
        (record,) = scan(reader)
    assert record.quoted_lines == quoted_lines
    assert record.may_have_quotes == (quoted_lines != 0)


def test_scanning_may_begin_at_any_message(tmp_path: Path) -> None:
    (tmp_path / "mbox").write_bytes(mbox_of(b"a\n", b"b\n", b"c\n"))
    with reader_of(tmp_path / "mbox") as reader:
        all_of_them = list(scan(reader))
        assert list(scan(reader, start=all_of_them[1].start)) == all_of_them[1:]
