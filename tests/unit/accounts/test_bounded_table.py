from __future__ import annotations

from accounts.bounded_table import BoundedTable


def full() -> BoundedTable[str, int]:
    table: BoundedTable[str, int] = BoundedTable(2)
    table.put("a", 1)
    table.put("b", 2)
    return table


def test_what_is_new_drives_out_the_oldest() -> None:
    table = full()
    table.put("c", 3)
    assert (len(table), table.get("a"), table.get("b"), table.get("c")) == (2, None, 2, 3)


def test_what_is_put_in_again_is_the_newest() -> None:
    table = full()
    table.put("a", 4)
    table.put("c", 3)
    assert (table.get("a"), table.get("b")) == (4, None)


def test_entries_can_be_taken_out() -> None:
    table = full()
    assert (table.remove("a"), table.remove("a"), len(table)) == (1, None, 1)


def test_entries_can_be_taken_out_by_key() -> None:
    table = full()
    table.remove_where(lambda key: key == "b")
    assert (table.get("a"), table.get("b")) == (1, None)


def test_old_entries_are_taken_out_until_one_is_young() -> None:
    table = full()
    table.remove_oldest_while(lambda value: value < 2)
    assert (table.get("a"), table.get("b")) == (None, 2)
    table.remove_oldest_while(lambda _value: True)
    assert len(table) == 0
