import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.stored_form import StoredForm
from spool.mbox.view import MessageView, measure
from spool.wire import wire_pieces
from tests.unit.spool.mbox.chunking import pieces

MESSAGE = b"Subject: a\nTo: b\n\n>From c\nd\n"


def shown(parts: list[bytes], *, unquote: bool = True) -> bytes:
    view = MessageView(unquote=unquote)
    return b"".join([*map(view.feed, parts), view.finish()])


def test_quoting_is_undone_only_where_it_is_wanted() -> None:
    assert shown([MESSAGE]) == b"Subject: a\nTo: b\n\nFrom c\nd\n"
    assert shown([MESSAGE], unquote=False) == MESSAGE


@pytest.mark.parametrize(
    "rewritten",
    [
        b"Status: RO\n" + MESSAGE,
        MESSAGE.replace(b"\n\n", b"\nX-UID: 7\nX-Keywords:            \nContent-Length: 9\n\n"),
        MESSAGE.replace(b"\n\n", b"\nLines: 2\n\n"),
        MESSAGE[:-1],
    ],
)
def test_the_key_stays_when_another_program_rewrites_the_mbox(rewritten: bytes) -> None:
    assert measure([rewritten], unquote=True).key == measure([MESSAGE], unquote=True).key


@pytest.mark.parametrize("other", [MESSAGE.replace(b"d", b"e"), MESSAGE + b"\n", b"", b"Lines: 1\n"])
def test_another_message_has_another_key(other: bytes) -> None:
    assert measure([other], unquote=True).key != measure([MESSAGE], unquote=True).key


def test_the_key_does_not_depend_on_unquoting() -> None:
    assert measure([MESSAGE], unquote=True).key == measure([MESSAGE], unquote=False).key


@given(st.data(), st.binary(max_size=300))
def test_octets_shown_are_octets_delivered_for_any_cuts(data: st.DataObject, message: bytes) -> None:
    form = StoredForm(unquote=True)
    stored = b"".join([*map(form.feed, data.draw(pieces(message))), form.finish()])
    assert b"".join(wire_pieces([shown(data.draw(pieces(stored)))])) == b"".join(wire_pieces([message]))
