"""The AUTHORIZATION state: who is it? USER and PASS, APOP, RPOP, the SASL dialogue, STLS.

What a client has said so far is at most a USER name, which any failure and STLS forget. During a SASL dialogue the
peer's next line is no command but a response (RFC 5034 section 4); the dialogue ends by success, by refusal, by ``*``,
or by a line that is no base64.
"""

from __future__ import annotations

import binascii
import dataclasses
from typing import assert_never

from popd.pop3 import commands
from popd.pop3.capabilities import announce, mechanisms, permits_password, permits_stls
from popd.pop3.commands import CommandSyntaxError, decode_base64
from popd.pop3.languages import choose_language, list_languages
from popd.pop3.replies import multi_line, negative, positive
from popd.pop3.states import AuthorizationCommand, Expecting
from popd.pop3.steps import (
    ApopLogin,
    Close,
    PasswordLogin,
    Refusal,
    RpopLogin,
    SaslCancel,
    SaslResponse,
    SaslStart,
    Send,
    SessionPolicy,
    StartTls,
    Step,
)


class Authorization:
    """A connection whose user is not known yet."""

    __slots__ = ("_name", "_utf8", "expecting", "policy")

    def __init__(self, policy: SessionPolicy) -> None:
        self.policy = policy
        self.expecting = Expecting.COMMAND
        self._name: bytes | None = None
        self._utf8 = False

    @property
    def bad_commands_max(self) -> int:
        """How many bad commands in a row end the session."""
        return self.policy.bad_commands_before_login

    def take(self, command: AuthorizationCommand) -> tuple[Step, ...]:
        """Take a command that is offered here."""
        match command:
            case commands.User(name):
                return (self._user(name),)
            case commands.Pass(password):
                return (self._pass(password),)
            case commands.Apop(name, digest):
                return (self._apop(name, digest),)
            case commands.Rpop(remote_user):
                return (self._rpop(remote_user),)
            case commands.Auth(mechanism, initial):
                return (self._auth(mechanism, initial),)
            case commands.Stls():
                return self._stls()
            case commands.Utf8():
                self._utf8 = True
                return (positive("UTF8 enabled"),)
            case commands.Lang(language_range):
                return (choose_language(language_range) if language_range else list_languages(),)
            case commands.Capa():
                return (announce(self.policy, logged_in=False, utf8=self._utf8),)
            case commands.Quit():
                return positive("bye"), Close()
            case _:
                assert_never(command)

    def take_line(self, line: bytes) -> tuple[Step, ...]:
        """Take the client's response to a challenge: base64, or ``*`` to cancel."""
        self.expecting = Expecting.COMMAND
        if line == b"*":
            return SaslCancel(), negative("authentication cancelled")
        try:
            return (SaslResponse(decode_base64(line)),)
        except CommandSyntaxError as error:
            return SaslCancel(), negative(str(error))

    def line_too_long(self) -> tuple[Step, ...]:
        """Give up a dialogue whose response passed the limit."""
        self.expecting = Expecting.COMMAND
        return SaslCancel(), negative("authentication response too long")

    def timed_out(self) -> tuple[Step, ...]:
        """Give up a dialogue whose client fell silent."""
        return (SaslCancel(),) if self.expecting is Expecting.SASL_RESPONSE else ()

    def challenge(self, data: bytes) -> tuple[Step, ...]:
        """Send a SASL challenge; an empty one is a plus sign and a space (RFC 5034 section 4)."""
        self.expecting = Expecting.SASL_RESPONSE
        return (Send(b"+ " + binascii.b2a_base64(data, newline=False) + b"\r\n"),)

    def refuse(self, refusal: Refusal) -> tuple[Step, ...]:
        """Answer a failed login: back to where the session was before USER."""
        self._name = None
        return (negative(refusal.text, refusal.code),)

    def tls_started(self) -> None:
        """Forget all that was said in the clear (RFC 2595 section 4). No second greeting is sent."""
        self.policy = dataclasses.replace(self.policy, tls_active=True)
        self._name = None

    def _user(self, name: bytes) -> Step:
        # RPOP needs a USER before it as well, and sends no password.
        if not permits_password(self.policy) and not self.policy.rpop:
            return negative("passwords are accepted under TLS only")
        self._name = name
        return positive("send your password")

    def _pass(self, password: bytes) -> Step:
        if not permits_password(self.policy):
            return negative("passwords are accepted under TLS only")
        if self._name is None:
            return negative("USER first")
        return PasswordLogin(self._name, password)

    def _apop(self, name: bytes, digest: bytes) -> Step:
        self._name = None
        assert self.policy.timestamp is not None, "APOP is offered only with a time stamp"
        return ApopLogin(name, digest, self.policy.timestamp)

    def _rpop(self, remote_user: bytes) -> Step:
        if self._name is None:
            return negative("USER first")
        return RpopLogin(self._name, remote_user)

    def _auth(self, mechanism: str | None, initial: bytes | None) -> Step:
        self._name = None
        offered = mechanisms(self.policy)
        if mechanism is None:
            return multi_line("mechanisms follow", offered)
        if mechanism not in offered:
            return negative("no such mechanism here")
        return SaslStart(mechanism, initial)

    def _stls(self) -> tuple[Step, ...]:
        if not permits_stls(self.policy, utf8=self._utf8):
            return (negative("TLS cannot start now"),)
        return positive("begin TLS"), StartTls()
