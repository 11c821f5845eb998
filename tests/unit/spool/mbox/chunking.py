"""Cutting octets into pieces in every way."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Some way of cutting ``data``, empty pieces included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def one_by_one(data: bytes) -> list[bytes]:
    """One octet each."""
    return [data[index : index + 1] for index in range(len(data))]
