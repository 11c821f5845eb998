"""Tests of spool.foreign_ids.formulas. The vectors of popa3d and Dovecot were shown by those servers."""

from __future__ import annotations

import hashlib

import pytest

from spool.foreign_ids import formulas
from tests.unit.spool.foreign_ids.mailboxes import FROM, maildir, mbox


def md5(*pieces: bytes) -> bytes:
    return hashlib.md5(b"".join(pieces), usedforsecurity=False).digest()


def test_qmail_shows_names() -> None:
    assert formulas.base_names(maildir("1.a", "2.b,S=3")) == ["1.a", "2.b,S=3"]


# -- popa3d, as version 1.0.3 showed it ----------------------------------------------------------------------------

POPA3D = {
    b"Subject: a\n": "d98c1dd404b2008f",
    b"Date: 1\nSubject: x\n": "e3ada8857fe9ebcf",
    b"Received: 1\n": "85047e8b8991c29e",
    b"Received: 1\nDate: 1\n": "85047e8b8991c29e",
    b"Received: 1\n 2\n": "5f08a4e2d5efae04",
    b"Date: 1\nReceived: 1\n": "1d341f722c2e82ea",
    b"Date: q\r\nSubject: q\r\n": "a6874e76eeb50ad9",
    b"Received: 1\n\t2\n 3\nReceived: second\n 4\nDelivered-To: a\n 5\nDelivered-To: b\nDate: x\nMessage-id: y\n"
    b"X-Delivery-Id: z\n 6\nStatus: RO\nDATE: 7\n": "4a949288f1d3203f",
    b"Date: a\n b\nDate: c\nmessage-id: d\n e\nDelivered-To: f\nReceived: g\nDelivered-To: h\nDate: j\n": (
        "64b52d674b506594"
    ),
}


@pytest.mark.parametrize(("header", "unique_id"), POPA3D.items())
def test_popa3ds_ids_are_made_as_it_makes_them(header: bytes, unique_id: str) -> None:
    assert formulas.popa3d(mbox(header)) == [unique_id]


def test_of_a_header_that_is_too_long_popa3ds_id_is_not_told() -> None:
    assert formulas.popa3d(mbox(None)) == [None]


def test_dovecots_md5_is_over_the_values() -> None:
    header = b"Subject: x\nDate: Wed, 20 May 1998 09:00:00 +0900\nMessage-ID: <1@x>\n"
    assert formulas.header_md5(header) == "7442634ecfaf11910658e2e62782eab9"
    assert formulas.header_md5(b"Received: a\n b\nSubject: y\nDate: k\n") == "0cc9cd4dd26c5137b675a0d819cb9ab0"


# -- qpopper -------------------------------------------------------------------------------------------------------

HEADER = b"Received: a\n folded\nReceived: b\nFrom: x\nDate: c\nMESSAGE-ID: <d>\nSubject: e\n"
DIGESTED = b"Received: a\nReceived: b\nDate: c\nMESSAGE-ID: <d>\nSubject: e\n"


def test_qpopper_shows_the_field_that_it_wrote() -> None:
    header = b"X-UIDL:  a%b.c\r\nX-UIDL: second\nDate: c\n"
    assert formulas.qpopper(mbox(header)) == formulas.qpopper_old_style(mbox(header)) == ["a%b.c"]


def test_before_version_3_qpopper_showed_a_digest_in_hexadecimal() -> None:
    assert formulas.qpopper_old_style(mbox(HEADER)) == [md5(FROM, DIGESTED).hex()]


def test_since_version_3_qpopper_shows_a_digest_with_the_from_line_twice_in_base_80() -> None:
    digest = md5(FROM, DIGESTED, FROM)
    expected = ""
    for word in range(4):
        octets = digest[4 * word : 4 * word + 4]
        value = octets[0] * 4096 + octets[1] * 256 + octets[2] * 16 + octets[3]
        expected += "".join(chr(0x21 + value // 80**place % 80) for place in range(5))
    (unique_id,) = formulas.qpopper(mbox(HEADER))
    assert unique_id == expected.replace(".", "~")
    assert len(unique_id) == 20


def test_qpopper_avoids_the_dot() -> None:
    assert formulas._base_80(bytes([0, 0, 0, 13]) * 4) == "~!!!!" * 4
    assert formulas._base_80(bytes([0, 0, 0, 80]) * 4) == '!"!!!' * 4


def test_qpopper_reads_long_lines_in_pieces() -> None:
    subject = b"Subject: " + b"x" * 3000 + b"\n"
    assert formulas.qpopper_old_style(mbox(subject)) == [md5(FROM, subject[:1023]).hex()]


def test_without_from_line_and_field_qpopper_had_no_id() -> None:
    assert formulas.qpopper(maildir("1.a", header=HEADER)) == [None]
    assert formulas.qpopper(mbox(None)) == [None]


def test_the_x_uidl_field_is_found_anywhere() -> None:
    assert formulas.x_uidl(maildir("1.a", header=b"A: b\nx-uidl: q\n")) == ["q"]
    assert formulas.x_uidl(mbox(b"A: b\n", None, b"X-UIDL: \xe9\n")) == [None, None, "é"]


# -- IMAP servers --------------------------------------------------------------------------------------------------

BASE = b"X-IMAPbase: 0895651200 0000000009 keyword\n"


def test_uw_shows_validity_and_uid() -> None:
    headers = (BASE + b"X-UID: 1\n", b"X-UID: 8   \n")
    assert formulas.uw_ipop3d(mbox(*headers)) == ["35628d8000000001", "35628d8000000008"]


def test_the_state_may_be_in_a_message_that_is_not_shown() -> None:
    mailbox = mbox(b"X-UID: 1\n", first_header=b"Subject: FOLDER INTERNAL DATA\nX-IMAP: 5 2\n")
    assert formulas.imap_uids(mailbox) == (5, [1])


def test_uids_that_do_not_ascend_or_were_not_given_yet_are_forged() -> None:
    uids = (b"3", b"3", b"2", b"10", b"x", b"99999999999", b"9", b"")
    mailbox = mbox(*(b"X-UID: " + uid + b"\n" for uid in uids), first_header=BASE)
    assert formulas.imap_uids(mailbox)[1] == [3, None, None, None, None, None, 9, None]


@pytest.mark.parametrize("state", [b"", b"X-IMAPbase: 0 9\n", b"X-IMAPbase: x\n", b"X-IMAPbase: 5\n"])
def test_without_validity_there_are_no_uids(state: bytes) -> None:
    assert formulas.uw_ipop3d(mbox(b"X-UID: 1\n", None, first_header=state)) == [None, None]


def test_a_header_that_is_too_long_has_no_uid() -> None:
    assert formulas.imap_uids(mbox(None, first_header=BASE))[1] == [None]
