import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.quoting import FromQuoting
from tests.unit.spool.mbox.chunking import one_by_one, pieces

LIKELY = st.lists(
    st.sampled_from([b"From ", b">", b">>", b"F", b"Fro", b"\n", b"\r\n", b"x", b" ", b"From"]), max_size=14
).map(b"".join)


def rewritten(parts: list[bytes], *, quote: bool) -> bytes:
    quoting = FromQuoting(quote=quote)
    return b"".join([*map(quoting.feed, parts), quoting.finish()])


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        (b"From here\n>From there\nlast", b">From here\n>>From there\nlast"),
        (b"a\nFrom b", b"a\n>From b"),
        (b"Fromage\n From x\nfrom y\n", b"Fromage\n From x\nfrom y\n"),
        (b"", b""),
        (b">From", b">From"),
    ],
)
def test_lines_that_look_like_a_from_line_get_one_more_bracket(text: bytes, quoted: bytes) -> None:
    assert rewritten([text], quote=True) == quoted
    assert rewritten(one_by_one(text), quote=True) == quoted
    assert rewritten([quoted], quote=False) == text


@given(st.data(), LIKELY)
def test_quoting_does_not_depend_on_the_cuts(data: st.DataObject, text: bytes) -> None:
    expected = re.sub(rb"(?m)^(>*From )", rb">\1", text)
    assert rewritten(data.draw(pieces(text)), quote=True) == expected
    assert rewritten(data.draw(pieces(expected)), quote=False) == text


@given(st.data(), LIKELY)
def test_unquoting_does_not_depend_on_the_cuts(data: st.DataObject, text: bytes) -> None:
    assert rewritten(data.draw(pieces(text)), quote=False) == re.sub(rb"(?m)^>(>*From )", rb"\1", text)


def test_a_run_of_brackets_of_any_length_is_neither_held_back_nor_slow() -> None:
    quoting = FromQuoting(quote=True)
    started = time.process_time()
    passed = sum(len(quoting.feed(b">" * 1000)) for _ in range(2000))
    assert passed >= 1_999_999
    assert quoting.feed(b"From ") == b">>From "
    assert time.process_time() - started < 2
