"""The states of a session and what each permits.

A connection begins in AUTHORIZATION. A granted login whose maildrop could be opened moves it to TRANSACTION; QUIT
there moves it to UPDATE, where the deletions are carried out, and then to CLOSED. QUIT in AUTHORIZATION, a time-out,
or a peer that vanishes leads to CLOSED without UPDATE from every state: nothing is deleted (RFC 1939 sections 3
and 6).
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from popd.pop3 import commands


class State(enum.Enum):
    """As in RFC 1939 section 3; CLOSED is the end of every session."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"
    UPDATE = "UPDATE"
    CLOSED = "CLOSED"


class Expecting(enum.Enum):
    """What the peer's next line is."""

    COMMAND = "command"
    SASL_RESPONSE = "SASL response"
    MESSAGE_LINE = "message line"


# What each state permits. UPDATE and CLOSED permit nothing.
AuthorizationCommand: TypeAlias = (
    commands.User
    | commands.Pass
    | commands.Apop
    | commands.Rpop
    | commands.Auth
    | commands.Stls
    | commands.Utf8
    | commands.Lang
    | commands.Capa
    | commands.Quit
)
MaildropQuestion: TypeAlias = commands.Stat | commands.List | commands.Uidl | commands.Last
TransactionCommand: TypeAlias = (
    MaildropQuestion
    | commands.Retr
    | commands.Top
    | commands.Dele
    | commands.Noop
    | commands.Rset
    | commands.XtndXmit
    | commands.XtndXlst
    | commands.Lang
    | commands.Capa
    | commands.Quit
)
