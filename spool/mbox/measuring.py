"""Measuring stored messages in bulk: what ``spool.mbox.view`` tells, without making the view where that is not needed.

Most messages have nothing that the storage added: then their view is what is stored, but for the quoting of lines, and
those the scan has counted already. The others are like that behind their header. What is neither, such as a header
that goes on for megabytes, is measured on the view itself.
"""

from __future__ import annotations

import hashlib

from spool.mbox.blocks import BlockReader
from spool.mbox.headers import REWRITTEN_FIELDS, without
from spool.mbox.scan import Record
from spool.mbox.view import Measure, key_of, measure
from spool.wire import WireCounter


def measure_record(reader: BlockReader, record: Record, *, unquote: bool) -> Measure:
    """Measure a message: the same as ``measure`` with all of its octets.

    Args:
        reader: of the mbox.
        record: the message.
        unquote: whether its size is the one without mboxrd quoting.

    Raises:
        OSError: it cannot be read.
    """
    quoted_lines = record.quoted_lines if unquote else 0
    body = record.content + (record.hints.body or 0)
    if record.hints.body is None or body > record.end or quoted_lines is None:
        return measure(reader.pieces(record.content, record.end), unquote=quoted_lines != 0)
    counter = WireCounter()
    digest = hashlib.sha256()
    start = record.content
    last = b"\n"
    header = without(reader.read(start, body), record.hints.fields)
    rewritten = REWRITTEN_FIELDS.places_in(header)
    if rewritten or record.hints.fields:
        counter.add(header)
        digest.update(without(header, rewritten))
        start = body
    for piece in reader.pieces(start, record.end):
        counter.add(piece)
        digest.update(piece)
        last = piece
    if not last.endswith(b"\n"):
        digest.update(b"\n")
    return Measure(counter.octets - quoted_lines, key_of(digest.digest()))
