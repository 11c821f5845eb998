"""The requests and answers of ``accounts.requests`` as octets: one JSON array each, a tag and then the fields in order.

Decoding is strict and bounded, because a worker that a peer has taken over may send anything: what comes out is a value
of the right types, or ``WireError``. Octets and paths, which may hold any, travel as base64, addresses and names as
text. Framing, and numbers that match answers to requests, belong to the carrier.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast, get_args

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
from spool.errors import MalformedNameError
from spool.names import UserName

MAX_WIRE_OCTETS: Final = 128 * 1024  # two SASL fields of 16 KiB in base64, certificate names, and room
MAX_LIST_ITEMS: Final = 256
MAX_TEXT_CHARACTERS: Final = 8192
_NUMBER_MAX: Final = 2**53  # what every JSON implementation holds exactly

_Json: TypeAlias = Any
_Value = TypeVar("_Value")


class WireError(Exception):
    """Octets that are no request, answer or offer of ours; the message never quotes them."""


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one kind of field becomes JSON and is checked when it comes back."""

    encode: Callable[[Any], _Json]
    decode: Callable[[_Json], Any]


def encode_request(request: AuthRequest) -> bytes:
    """A listener's request as octets."""
    return _encode(request)


def decode_request(octets: bytes) -> AuthRequest:
    """A listener's request from octets.

    Raises:
        WireError: it is not one.
    """
    return cast("AuthRequest", _decode(octets, get_args(AuthRequest)))


def encode_answer(answer: AuthAnswer) -> bytes:
    """The authenticator's answer as octets."""
    return _encode(answer)


def decode_answer(octets: bytes) -> AuthAnswer:
    """The authenticator's answer from octets.

    Raises:
        WireError: it is not one.
    """
    return cast("AuthAnswer", _decode(octets, get_args(AuthAnswer)))


def encode_offer(offer: Offer) -> bytes:
    """The authenticator's offer as octets."""
    return _encode(offer)


def decode_offer(octets: bytes) -> Offer:
    """The authenticator's offer from octets.

    Raises:
        WireError: it is not one.
    """
    return cast("Offer", _decode(octets, (Offer,)))


def _encode(value: object) -> bytes:
    tag, fields = _FORMS[type(value)]
    return json.dumps(
        [tag, *(codec.encode(getattr(value, name)) for name, codec in fields.items())], separators=(",", ":")
    ).encode("ascii")


def _decode(octets: bytes, permitted: tuple[type, ...]) -> object:
    if len(octets) > MAX_WIRE_OCTETS:
        raise WireError("message too long")
    try:
        parsed = json.loads(octets.decode("ascii"))
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    match parsed:
        case [str(tag), *values] if (kind := _KINDS.get(tag)) in permitted:
            return _fields_to(kind, values)
    raise WireError("not a message that is expected here")


def _fields_to(kind: type[_Value], values: _Json) -> _Value:
    fields = _FORMS[kind][1]
    if not isinstance(values, list) or len(values) != len(fields):
        raise WireError(f"{kind.__name__}: wrong number of fields")
    decoded = {}
    for (name, codec), value in zip(fields.items(), values, strict=True):
        try:
            decoded[name] = codec.decode(value)
        except (ValueError, MalformedNameError):
            raise WireError(f"{kind.__name__}.{name}: wrong value") from None
    return kind(**decoded)


# -- kinds of fields: decode raises ValueError, which the caller names -------------------------------------------------


def _text(value: _Json) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS:
        raise ValueError("text")
    value.encode()  # a lone surrogate is no text
    return value


def _octets(value: _Json) -> bytes:
    if not isinstance(value, str):
        raise ValueError("octets")  # noqa: TRY004  one exception for everything a peer may have sent
    return base64.b64decode(value, validate=True)


def _number(value: _Json) -> int:
    # bool is an int in Python, not here.
    if type(value) is not int or not 0 <= value <= _NUMBER_MAX:
        raise ValueError("number")
    return value


def _seconds(value: _Json) -> float:
    # NaN is not between any two numbers.
    if type(value) not in {int, float} or not 0 <= value <= _NUMBER_MAX:
        raise ValueError("seconds")
    return float(value)


def _truth(value: _Json) -> bool:
    if type(value) is not bool:
        raise ValueError("truth value")
    return value


def _texts(value: _Json) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_LIST_ITEMS:
        raise ValueError("list")
    return tuple(_text(item) for item in value)


def _address(value: _Json) -> str:
    if value != "unix":
        ip_address(_text(value))
    return cast("str", value)


def _path(value: _Json) -> Path:
    octets = _octets(value)
    if not octets.startswith(b"/") or b"\0" in octets:
        raise ValueError("absolute path")
    return Path(os.fsdecode(octets))


def _user(value: _Json) -> UserName:
    return UserName(_text(value))


def _optional(codec: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else codec.encode(value),
        lambda value: None if value is None else codec.decode(value),
    )


def _nested(kind: type) -> _Codec:
    return _Codec(
        lambda value: [codec.encode(getattr(value, name)) for name, codec in _FORMS[kind][1].items()],
        lambda value: _fields_to(kind, value),
    )


_TEXT: Final = _Codec(str, _text)
_TEXTS: Final = _Codec(list, _texts)
_OCTETS: Final = _Codec(lambda value: base64.b64encode(value).decode("ascii"), _octets)
_NUMBER: Final = _Codec(int, _number)
_SECONDS: Final = _Codec(float, _seconds)
_TRUTH: Final = _Codec(bool, _truth)
_ADDRESS: Final = _Codec(str, _address)
_PATH: Final = _Codec(lambda path: _OCTETS.encode(os.fsencode(path)), _path)
_USER: Final = _Codec(str, _user)
_REASON: Final = _Codec(lambda reason: reason.value, lambda value: RefusalReason(_text(value)))
_PEER: Final = _nested(Peer)
_BINDING: Final = _nested(ChannelBinding)

_FORMS: Final[Mapping[type, tuple[str, Mapping[str, _Codec]]]] = {
    Peer: ("peer", {"address": _ADDRESS, "port": _NUMBER, "tls": _TRUTH, "service": _TEXT}),
    ChannelBinding: (
        "binding",
        {"tls_exporter": _optional(_OCTETS), "tls_server_end_point": _optional(_OCTETS)},
    ),
    PasswordRequest: ("password", {"peer": _PEER, "name": _OCTETS, "password": _OCTETS}),
    ApopRequest: ("apop", {"peer": _PEER, "name": _OCTETS, "digest": _OCTETS, "timestamp": _OCTETS}),
    RpopRequest: ("rpop", {"peer": _PEER, "name": _OCTETS, "remote_user": _OCTETS, "hosts": _TEXTS}),
    SaslBegin: (
        "sasl-begin",
        {
            "peer": _PEER,
            "conversation": _NUMBER,
            "mechanism": _TEXT,
            "initial": _optional(_OCTETS),
            "binding": _BINDING,
            "certificate_names": _TEXTS,
        },
    ),
    SaslContinue: ("sasl-continue", {"conversation": _NUMBER, "response": _OCTETS}),
    SaslAbandon: ("sasl-abandon", {"conversation": _NUMBER}),
    SessionEnded: ("session-ended", {"user": _USER, "opened": _TRUTH}),
    Granted: ("granted", {"user": _USER, "uid": _NUMBER, "gid": _NUMBER, "home": _PATH, "ticket": _OCTETS}),
    Refused: ("refused", {"reason": _REASON, "delay_seconds": _SECONDS, "user": _optional(_USER)}),
    Challenge: ("challenge", {"data": _OCTETS}),
    Offer: ("offer", {"mechanisms": _TEXTS, "apop": _TRUTH}),
}
_KINDS: Final = {tag: kind for kind, (tag, _) in _FORMS.items()}
