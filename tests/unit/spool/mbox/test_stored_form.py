import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.stored_form import LineEnds, StoredForm
from spool.mbox.view import measure
from spool.wire import wire_octets, wire_pieces
from tests.unit.spool.mbox.chunking import one_by_one, pieces

LIKELY = st.lists(
    st.sampled_from([b"From ", b">From ", b"\n", b"\r", b"\r\n", b"\0", b"x", b"Status: R", b"A: b\n", b"\n\n"]),
    max_size=14,
).map(b"".join)


def with_lf(parts: list[bytes]) -> bytes:
    line_ends = LineEnds()
    return b"".join([*map(line_ends.feed, parts), line_ends.finish()])


def stored(parts: list[bytes], *, unquote: bool = True) -> tuple[bytes, int]:
    form = StoredForm(unquote=unquote)
    octets = b"".join([*map(form.feed, parts), form.finish()])
    return octets, form.wire_octets


@given(st.data(), st.lists(st.sampled_from([b"\r", b"\n", b"x"]), max_size=12).map(b"".join))
def test_crlf_becomes_lf_unless_a_cr_stands_before_it_for_any_cuts(data: st.DataObject, text: bytes) -> None:
    expected = re.sub(rb"(?<!\r)\r\n", b"\n", text)
    assert with_lf(data.draw(pieces(text))) == expected
    assert with_lf(one_by_one(text)) == expected
    assert list(wire_pieces([expected])) == list(wire_pieces([text])) or text.endswith(b"\r")


@pytest.mark.parametrize(
    ("message", "form"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"a", b"a\n"),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\r", b"a\r\r\n"),
        (b"From a\n>From b\n", b">From a\n>>From b\n"),
        (b"From ", b">From \n"),
        (b"From", b"From\n"),
        (b"Status: R\nA: b\nContent-Length: 9\n\nStatus: R", b"A: b\n\nStatus: R\n"),
    ],
)
def test_a_message_is_stored_with_lf_quoted_and_without_storage_fields(message: bytes, form: bytes) -> None:
    assert stored([message])[0] == form
    assert stored(one_by_one(message))[0] == form


@given(st.data(), LIKELY)
def test_the_size_foretold_is_the_size_of_the_view(data: st.DataObject, message: bytes) -> None:
    for unquote in (True, False):
        octets, size = stored(data.draw(pieces(message)), unquote=unquote)
        assert size == measure([octets], unquote=unquote).wire_octets


@given(st.data(), st.one_of(st.binary(max_size=200), LIKELY.filter(lambda text: b"Status:" not in text)))
def test_what_has_no_storage_fields_keeps_its_wire_octets(data: st.DataObject, message: bytes) -> None:
    assert stored(data.draw(pieces(message)))[1] == wire_octets([message])
