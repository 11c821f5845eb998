from __future__ import annotations

from demo.messages import sample_messages


def test_the_same_seed_makes_the_same_messages() -> None:
    assert list(sample_messages(20, seed=5)) == list(sample_messages(20, seed=5))


def test_another_seed_makes_other_messages() -> None:
    assert set(sample_messages(20, seed=5)).isdisjoint(sample_messages(20, seed=6))


def test_the_first_messages_are_of_real_variety() -> None:
    text = b"".join(sample_messages(20, seed=5))
    for piece in (
        b"\n.\n",
        b"\nFrom here",
        b"\r\n",
        b"multipart/mixed",
        "ü".encode("latin-1"),
        "秋".encode(),
        b"\x1b$B",
        b"x" * 998,
    ):
        assert piece in text


def test_every_message_has_a_header_and_ends_it() -> None:
    for message in sample_messages(60, seed=5):
        assert message.startswith(b"Received: ")
        assert b"\n\n" in message or b"\r\n\r\n" in message
