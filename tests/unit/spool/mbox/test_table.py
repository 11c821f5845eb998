import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.mbox.table import MessageTable


def table_of(count: int, *, read: int = 0, unused: tuple[tuple[int, int], ...] = ()) -> MessageTable:
    table = MessageTable()
    for index in range(count):
        start = 100 * index
        table.add(start, start + 40, start + 90, 60, f"{index:032x}", read=index < read)
    for pair in unused:
        table.unused_ends.extend(pair)
    return table


def shifted(table: MessageTable, indices: slice) -> list[tuple[int, str]]:
    return list(zip(table.starts[indices], table.keys[indices], strict=True))


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_table_comes_out_of_its_octets(count: int, read: int) -> None:
    table = table_of(count, read=read, unused=((0, 7),) * (count > 2))
    assert MessageTable.decode(b"".join(table.encode())) == table


@pytest.mark.parametrize("damage", [lambda octets: b"", lambda octets: octets[:30], lambda octets: octets + b"x"])
def test_octets_of_something_else_are_no_table(damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="it"):
        MessageTable.decode(damage(b"".join(table_of(3).encode())))


def test_the_first_messages_are_a_table_of_their_own() -> None:
    first = table_of(5, read=1, unused=((1, 7), (3, 9))).first(2)
    assert first == table_of(2, read=1, unused=((1, 7),))
    assert table_of(5, read=4).first(2).last_read == 0


def test_tables_are_put_behind_each_other() -> None:
    first, second = table_of(2, read=1, unused=((0, 7),)), table_of(4, read=3, unused=((0, 5), (3, 9)))
    both = first.followed_by(second, index=1)
    assert shifted(both, slice(None)) == shifted(first, slice(None)) + shifted(second, slice(1, None))
    assert both.last_read == 2 + 2
    assert list(both.unused()) == [(0, 7), (2 + 2, 9)]
    assert first.followed_by(table_of(3)).last_read == 1
