from __future__ import annotations

from popd.pop3.listings import Listings


def test_all_messages_are_listed_with_their_count_and_sum() -> None:
    listings = Listings([120, 200], ["a", "b"])
    assert listings.sizes_reply == b"+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n"
    assert listings.unique_ids_reply == b"+OK unique-ids follow\r\n1 a\r\n2 b\r\n.\r\n"
    assert listings.octets == 320


def test_a_reply_is_built_once() -> None:
    listings = Listings([120, 200], ["a", "b"])
    assert listings.sizes_reply is listings.sizes_reply
    assert listings.unique_ids_reply is listings.unique_ids_reply
