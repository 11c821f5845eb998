from __future__ import annotations

import base64
import contextlib
import json
import os
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.requests import (
    ApopRequest,
    AuthAnswer,
    AuthRequest,
    Challenge,
    ChannelBinding,
    Granted,
    Offer,
    PasswordRequest,
    Peer,
    RefusalReason,
    Refused,
    RpopRequest,
    SaslAbandon,
    SaslBegin,
    SaslContinue,
    SessionEnded,
)
from accounts.wire import (
    _FORMS,
    MAX_WIRE_OCTETS,
    WireError,
    decode_answer,
    decode_offer,
    decode_request,
    encode_answer,
    encode_offer,
    encode_request,
)
from spool.names import UserName

OCTETS = st.binary(max_size=40)
NUMBERS = st.integers(0, 2**53)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4).map(tuple)
USERS = st.from_regex(r"[a-z0-9_][a-z0-9._+=-]{0,63}", fullmatch=True).map(UserName)
ADDRESSES = st.one_of(st.ip_addresses().map(str), st.just("unix"))
PEERS = st.builds(Peer, ADDRESSES, st.integers(0, 65535), st.booleans(), st.just("pop3"))
BINDINGS = st.builds(ChannelBinding, st.none() | OCTETS, st.none() | OCTETS)
PATHS = st.sampled_from([Path("/var/spool/mail/u/日本"), Path(os.fsdecode(b"/home/no\xfftext"))])
REQUESTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(PasswordRequest, PEERS, OCTETS, OCTETS),
    st.builds(ApopRequest, PEERS, OCTETS, OCTETS, OCTETS),
    st.builds(RpopRequest, PEERS, OCTETS, OCTETS, TEXTS),
    st.builds(SaslBegin, PEERS, NUMBERS, st.just("PLAIN"), st.none() | OCTETS, BINDINGS, TEXTS),
    st.builds(SaslContinue, NUMBERS, OCTETS),
    st.builds(SaslAbandon, NUMBERS),
    st.builds(SessionEnded, USERS, st.booleans()),
)
ANSWERS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Granted, USERS, NUMBERS, NUMBERS, PATHS, OCTETS),
    st.builds(Refused, st.sampled_from(RefusalReason), st.floats(0, 1e6), st.none() | USERS),
    st.builds(Challenge, OCTETS),
)

few = settings(max_examples=20)

PEER = ["127.0.0.1", 1, False, "pop3"]


@few
@given(REQUESTS)
def test_a_request_comes_out_as_it_went_in(request: AuthRequest) -> None:
    assert decode_request(encode_request(request)) == request


@few
@given(ANSWERS)
def test_an_answer_comes_out_as_it_went_in(answer: AuthAnswer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


@few
@given(TEXTS, st.booleans())
def test_an_offer_comes_out_as_it_went_in(mechanisms: tuple[str, ...], apop: bool) -> None:
    assert decode_offer(encode_offer(Offer(mechanisms, apop))) == Offer(mechanisms, apop)


@few
@given(st.binary(max_size=200))
def test_no_octets_do_more_than_raise(octets: bytes) -> None:
    for decode in (decode_request, decode_answer, decode_offer):
        with pytest.raises(WireError):
            decode(octets)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=8,
)


@few
@given(st.sampled_from(sorted(tag for tag, _ in _FORMS.values())), st.lists(JSON, max_size=7))
def test_no_fields_do_more_than_raise(tag: str, fields: list[Any]) -> None:
    octets = json.dumps([tag, *fields]).encode()
    for decode in (decode_request, decode_answer, decode_offer):
        with contextlib.suppress(WireError):
            decode(octets)


@pytest.mark.parametrize(
    "message",
    [
        ["sasl-abandon", True],
        ["sasl-abandon", -1],
        ["sasl-abandon", 2**60],
        ["sasl-abandon"],
        ["sasl-abandon", 1, 2],
        ["granted", "root;", 0, 0, "Lw==", ""],
        ["session-ended", "../etc", True],
        ["session-ended", "yasuhi", 1],
        ["session-ended", 7, True],
        ["password", ["localhost", 1, False, "pop3"], "", ""],
        ["password", PEER, "not base64!", ""],
        ["password", PEER, 7, ""],
        ["password", ["127.0.0.1", 1, 1, "pop3"], "", ""],
        ["password", "127.0.0.1", "", ""],
        ["rpop", PEER, "", "", "host"],
        ["rpop", PEER, "", "", ["h"] * 300],
        ["rpop", PEER, "", "", ["\ud800"]],
        ["rpop", PEER, "", "", ["x" * 9000]],
    ],
)
def test_a_wrong_field_is_no_request(message: list[Any]) -> None:
    with pytest.raises(WireError):
        decode_request(json.dumps(message).encode())


@pytest.mark.parametrize(
    "message",
    [
        ["granted", "yasuhi", 1, 1, base64.b64encode(b"relative").decode(), ""],
        ["granted", "yasuhi", 1, 1, base64.b64encode(b"/a\0b").decode(), ""],
        ["granted", "yasuhi", 1, 1, "/not/base64", ""],
        ["refused", "because", 0, None],
        ["refused", "credentials", -1, None],
        ["refused", "credentials", float("inf"), None],
        ["refused", "credentials", float("nan"), None],
        ["refused", "credentials", 10**400, None],
        ["refused", "credentials", True, None],
        ["refused", "credentials", 0, "../etc"],
        ["offer", [], True],
    ],
)
def test_a_wrong_field_is_no_answer(message: list[Any]) -> None:
    with pytest.raises(WireError):
        decode_answer(json.dumps(message).encode())


def test_octets_are_bounded_before_they_are_parsed() -> None:
    with pytest.raises(WireError, match="long"):
        decode_request(b" " * (MAX_WIRE_OCTETS + 1))


def test_deep_nesting_is_no_json_of_ours() -> None:
    with pytest.raises(WireError):
        decode_request(b"[" * 60_000)


def test_the_error_quotes_nothing() -> None:
    with pytest.raises(WireError) as caught:
        decode_request(json.dumps(["password", PEER, "c2VjcmV0", "secret word"]).encode())
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_request_of_the_greatest_size_passes() -> None:
    request = SaslContinue(2**53, bytes(16 * 1024))
    assert decode_request(encode_request(request)) == request


def test_every_message_has_a_form() -> None:
    assert {*get_args(AuthRequest), *get_args(AuthAnswer), Offer} <= set(_FORMS)
