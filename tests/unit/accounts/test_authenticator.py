from __future__ import annotations

import dataclasses
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from accounts.apop_file import apop_digest
from accounts.attempts import Pending
from accounts.authenticator import Authenticator, Decision
from accounts.checks import (
    Check,
    CheckOutcome,
    CheckResult,
    ExternalCheck,
    RhostsContent,
    RhostsNeeded,
    RhostsUntrusted,
    Verification,
    run_verification,
)
from accounts.credentials import Credentials
from accounts.requests import (
    ApopRequest,
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
from accounts.schemes.scram_keys import ScramKeys
from accounts.settings import AuthSettings, LoginPolicy
from accounts.throttle import FAILURES_PER_USER
from accounts.tickets import open_ticket
from spool.names import UserName
from tests.unit.accounts.fakes import FakeDirectory
from tests.unit.accounts.sasl.test_scram import client_final

WORKER = 1
PLAIN = Peer("192.0.2.1", 40000)
TLS = Peer("192.0.2.1", 40000, tls=True)
LOCAL = Peer("127.0.0.1", 40000)
RESERVED = Peer("192.0.2.1", 1000)
TIMESTAMP = b"<1896.697170952@dbc.mtview.ca.us>"
SETTINGS = AuthSettings(schemes=("PLAIN", "SCRAM-SHA-256"))
WRONG = Refused(RefusalReason.CREDENTIALS, 2.0)
SCRAM = "{SCRAM-SHA-256}" + ScramKeys.derive("SCRAM-SHA-256", b"pencil", b"0123456789abcdef", 4096).text()
KEY = bytes(32)


class Desk:
    """An authenticator whose checks are carried out at once.

    Keeps which were, what was reported, and whom refusals were logged for: ``refused``, no longer in the answer.
    """

    def __init__(self, control: Path, settings: AuthSettings = SETTINGS, policy: LoginPolicy | None = None) -> None:
        self.credentials = Credentials.in_directory(control)
        self.directory = FakeDirectory()
        self.checks: list[Check] = []
        self.reports: list[str] = []
        self.refused: list[str | None] = []
        self.external: CheckOutcome = CheckResult.WRONG
        self.rhosts: CheckOutcome = RhostsContent(b"")
        self.now = 1000.0
        self.open(settings, policy or LoginPolicy())

    def open(self, settings: AuthSettings = SETTINGS, policy: LoginPolicy = LoginPolicy()) -> None:  # noqa: B008
        """Begin anew with other settings."""
        self.authenticator = Authenticator(
            settings=settings,
            policy=policy,
            directory=self.directory,
            credentials=self.credentials,
            service_uid=500,
            ticket_key=KEY,
            report=self.reports.append,
        )

    def ask(self, request: AuthRequest, worker: int = WORKER) -> Decision:
        decision = self.authenticator.receive(worker, request, self.now)
        while isinstance(decision, Pending):
            self.checks.append(decision.check)
            decision = self.authenticator.finish(decision.token, self._outcome(decision.check), self.now)
        if isinstance(decision, Refused):
            self.refused.append(None if decision.user is None else decision.user.text)
            return dataclasses.replace(decision, user=None)
        return decision

    def _outcome(self, check: Check) -> CheckOutcome:
        match check:
            case Verification():
                return run_verification(check)
            case ExternalCheck():
                return self.external
            case RhostsNeeded():
                return self.rhosts

    def login(self, name: bytes = b"yasuhi", password: bytes = b"pencil", peer: Peer = TLS) -> Decision:
        return self.ask(PasswordRequest(peer, name, password))

    def apop(self, name: bytes = b"yasuhi", secret: bytes = b"tanstaaf", peer: Peer = PLAIN) -> Decision:
        return self.ask(ApopRequest(peer, name, apop_digest(TIMESTAMP, secret), TIMESTAMP))

    def scram(self, name: bytes = b"yasuhi", password: bytes = b"pencil", peer: Peer = PLAIN) -> Decision:
        bare = b"n=" + name + b",r=CLIENT"
        step = self.ask(SaslBegin(peer, 7, "SCRAM-SHA-256", b"n,," + bare))
        if not isinstance(step, Challenge):
            return step
        step = self.ask(SaslContinue(7, client_final(step.data, password=password, bare=bare)))
        return self.ask(SaslContinue(7, b"")) if isinstance(step, Challenge) else step


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.credentials.passwd.set_verifiers(UserName("yasuhi"), ["{PLAIN.b64}cGVuY2ls", SCRAM])
    desk.credentials.passwd.set_verifiers(UserName("own"), ["{PLAIN.b64}cGVuY2ls"])
    desk.credentials.passwd.set_verifiers(UserName("root"), ["{PLAIN.b64}cGVuY2ls"])
    desk.credentials.passwd.set_verifiers(UserName("gone"), ["{PLAIN.b64}cGVuY2ls"])
    return desk


def settle(desk: Desk, **changes: Any) -> None:
    desk.open(dataclasses.replace(SETTINGS, **changes))


def admit_rpop(desk: Desk) -> None:
    networks = (ip_network("192.0.2.0/24"),)
    desk.open(policy=LoginPolicy(rpop_networks=networks))


class TestPasswords:
    @pytest.mark.parametrize("name", [b"yasuhi", b"Yasuhi", b"yasuhi@example.org"])
    def test_the_right_password_is_granted(self, desk: Desk, name: bytes) -> None:
        assert desk.login(name) == Granted(UserName("yasuhi"), 500, 500, Path("/spool/u/yasuhi"))

    def test_another_uid_comes_with_a_ticket(self, desk: Desk) -> None:
        granted = desk.login(b"own")
        assert isinstance(granted, Granted)
        assert open_ticket(KEY, granted.ticket, desk.now).uid == 1001

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            (b"yasuhi", b"pen"),
            (b"yasuhi", b""),
            (b"nobody", b"pencil"),
            (b"gone", b"pencil"),
            (b"yasuhi@example.net", b"pencil"),
            (b"\xff", b"pencil"),
            (b"../yasuhi", b"pencil"),
            (b"", b"pencil"),
        ],
    )
    def test_every_other_answer_is_the_same_and_costs_one_verification(
        self, desk: Desk, name: bytes, password: bytes
    ) -> None:
        assert desk.login(name, password) == WRONG
        assert [type(check) for check in desk.checks] == [Verification]

    def test_a_right_password_is_verified_once_until_the_line_changes(self, desk: Desk) -> None:
        for _ in range(3):
            assert isinstance(desk.login(), Granted)
        assert len(desk.checks) == 1
        desk.credentials.passwd.set_verifiers(UserName("yasuhi"), ["{PLAIN.b64}eA=="])
        assert desk.login() == WRONG
        assert len(desk.checks) == 2

    def test_a_remembered_password_goes_through_the_other_rules(self, desk: Desk) -> None:
        desk.login()
        desk.directory.records.pop("yasuhi")
        assert desk.login() == WRONG

    @pytest.mark.parametrize(
        ("cleartext", "peer", "granted"),
        [
            ("never", LOCAL, False),
            ("never", TLS, True),
            ("loopback", LOCAL, True),
            ("loopback", Peer("::1", 1), True),
            ("loopback", Peer("unix", 0), True),
            ("loopback", PLAIN, False),
            ("loopback", TLS, True),
            ("always", PLAIN, True),
        ],
    )
    def test_a_password_crosses_only_where_it_may(self, desk: Desk, cleartext: str, peer: Peer, granted: bool) -> None:
        settle(desk, cleartext=cleartext)
        assert isinstance(desk.login(peer=peer), Granted) is granted
        assert len(desk.checks) == granted

    def test_a_system_account_is_told_only_after_its_password_was_right(self, desk: Desk) -> None:
        assert desk.login(b"root", b"pen") == WRONG
        assert desk.login(b"root") == Refused(RefusalReason.PERMANENT)

    def test_too_many_sessions_are_told_only_after_the_password_was_right(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(connections_per_user=1))
        assert isinstance(desk.login(), Granted)
        assert desk.login(password=b"pen") == WRONG
        assert desk.login() == Refused(RefusalReason.TOO_MANY_SESSIONS)
        assert desk.ask(SessionEnded(UserName("yasuhi"), opened=True)) is None
        assert isinstance(desk.login(), Granted)

    def test_the_login_delay_is_told_only_after_the_password_was_right(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(login_delay_seconds=60))
        assert isinstance(desk.login(), Granted)
        assert desk.login(password=b"pen") == WRONG
        assert desk.login() == Refused(RefusalReason.LOGIN_DELAY)
        desk.now += 60
        assert isinstance(desk.login(), Granted)

    def test_too_many_failures_end_in_no_check_at_all(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(failures_per_address=3))
        for name in (b"nobody", b"yasuhi", b"\xff"):
            assert desk.login(name, b"pen") == WRONG
        checks = len(desk.checks)
        assert desk.login() == Refused(RefusalReason.THROTTLED, 2.0)
        assert len(desk.checks) == checks
        assert isinstance(desk.login(peer=Peer("192.0.2.2", 1, tls=True)), Granted)

    @pytest.mark.parametrize("name", [b"yasuhi", b"nobody"])
    def test_a_name_that_is_guessed_from_everywhere_is_throttled_whoevers_it_is(self, desk: Desk, name: bytes) -> None:
        for number in range(FAILURES_PER_USER):
            desk.login(name, b"pen", Peer(f"198.51.100.{number}", 1, tls=True))
        assert desk.login(name) == Refused(RefusalReason.THROTTLED, 2.0)

    def test_an_unavailable_directory_is_temporary_and_reported(self, desk: Desk) -> None:
        desk.directory.available = False
        assert desk.login() == Refused(RefusalReason.TEMPORARY)
        assert desk.reports == ["assign.cdb: torn"]

    @pytest.mark.parametrize("name", [b"yasuhi", b"nobody"])
    def test_a_broken_passwd_file_is_temporary_for_all(self, desk: Desk, tmp_path: Path, name: bytes) -> None:
        (tmp_path / "passwd").write_text("no colon\n")
        assert desk.login(name) == Refused(RefusalReason.TEMPORARY)
        assert "line 1" in desk.reports[0]
        assert desk.scram(name) == Refused(RefusalReason.TEMPORARY)

    def test_a_broken_verifier_is_temporary_for_its_user(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "passwd").write_text("yasuhi:{NEW}x\nown:{PLAIN}pencil\n")
        assert desk.login() == Refused(RefusalReason.TEMPORARY)
        assert isinstance(desk.login(b"own"), Granted)


class TestOtherSources:
    @pytest.fixture
    def external(self, desk: Desk) -> Desk:
        settle(desk, checkpassword=("/bin/check",), checkpassword_apop=True, pam_service="mailspool")
        return desk

    def test_a_program_may_say_yes_and_is_asked_no_more(self, external: Desk) -> None:
        external.external = CheckResult.RIGHT
        assert isinstance(external.login(b"own", b"other password"), Granted)
        assert [type(check) for check in external.checks] == [Verification, ExternalCheck]
        assert isinstance(external.login(b"own", b"other password"), Granted)
        assert len(external.checks) == 2

    @pytest.mark.parametrize("name", [b"yasuhi", b"nobody"])
    def test_a_wrong_password_goes_through_every_source_whoevers_it_is(self, external: Desk, name: bytes) -> None:
        assert external.login(name, b"pen") == WRONG
        assert [type(check) for check in external.checks] == [Verification, ExternalCheck, ExternalCheck]

    def test_nobody_is_let_in_by_a_program(self, external: Desk) -> None:
        external.external = CheckResult.RIGHT
        assert external.login(b"nobody", b"pen") == WRONG
        assert len(external.checks) == 3

    @pytest.mark.parametrize("name", [b"yasuhi", b"nobody"])
    def test_a_program_that_cannot_say_makes_the_answer_temporary(self, external: Desk, name: bytes) -> None:
        external.external = CheckResult.UNAVAILABLE
        assert external.login(name, b"pen") == Refused(RefusalReason.TEMPORARY)

    def test_an_outcome_of_another_kind_says_nothing(self, external: Desk) -> None:
        external.external = RhostsContent(b"192.0.2.1 +\n")
        assert external.login(b"yasuhi", b"pen") == Refused(RefusalReason.TEMPORARY)

    def test_a_program_may_know_apop(self, external: Desk) -> None:
        assert external.authenticator.offer().apop
        assert external.apop() == WRONG
        external.external = CheckResult.RIGHT
        assert isinstance(external.apop(), Granted)


class TestApop:
    @pytest.fixture(autouse=True)
    def secret(self, desk: Desk) -> None:
        desk.credentials.apop.set_secret(UserName("yasuhi"), b"tanstaaf")

    def test_the_right_digest_is_granted(self, desk: Desk) -> None:
        assert isinstance(desk.apop(), Granted)
        upper = ApopRequest(PLAIN, b"yasuhi", b"C4C9334BAC560ECC979E58001B3E22FB", TIMESTAMP)
        assert isinstance(desk.ask(upper), Granted)

    @pytest.mark.parametrize(
        ("name", "secret"), [(b"yasuhi", b"tanstaag"), (b"own", b""), (b"nobody", b""), (b"\xff", b"tanstaaf")]
    )
    def test_every_other_answer_is_the_same(self, desk: Desk, name: bytes, secret: bytes) -> None:
        assert desk.apop(name, secret) == WRONG

    @pytest.mark.parametrize("name", [b"yasuhi", b"nobody"])
    def test_a_broken_file_of_secrets_is_temporary_for_all(self, desk: Desk, tmp_path: Path, name: bytes) -> None:
        (tmp_path / "apop").write_text("no colon\n")
        assert desk.apop(name) == Refused(RefusalReason.TEMPORARY)

    def test_an_address_with_too_many_failures_is_not_checked(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(failures_per_address=1))
        desk.apop(secret=b"x")
        assert desk.apop() == Refused(RefusalReason.THROTTLED, 2.0)

    def test_whoever_has_a_secret_sends_no_password_without_tls(self, desk: Desk) -> None:
        settle(desk, cleartext="always")
        assert desk.login(peer=PLAIN) == WRONG
        assert [type(check) for check in desk.checks] == [Verification]
        assert isinstance(desk.login(b"own", peer=PLAIN), Granted)
        assert isinstance(desk.login(peer=TLS), Granted)
        assert isinstance(desk.login(peer=LOCAL), Granted)
        assert desk.login(peer=PLAIN) == WRONG

    def test_unless_the_site_says_otherwise(self, desk: Desk) -> None:
        settle(desk, cleartext="always", apop_only=False)
        assert isinstance(desk.login(peer=PLAIN), Granted)


class TestRpop:
    REQUEST = RpopRequest(RESERVED, b"yasuhi", b"yasuhi", ("ws7.example.org",))

    def test_a_line_of_the_users_rhosts_lets_in_and_is_reported(self, desk: Desk) -> None:
        admit_rpop(desk)
        desk.rhosts = RhostsContent(b"# mine\nws7.example.org\n")
        assert isinstance(desk.ask(self.REQUEST), Granted)
        assert desk.checks == [RhostsNeeded(UserName("yasuhi"), 500, 500, Path("/spool/u/yasuhi"))]
        assert desk.reports == ["RPOP from 192.0.2.1 port 1000, b'yasuhi' as yasuhi: granted: .rhosts line 2"]

    def test_no_line_keeps_out(self, desk: Desk) -> None:
        admit_rpop(desk)
        assert desk.ask(self.REQUEST) == WRONG
        assert desk.reports[0].endswith("refused: no line of .rhosts matched")

    @pytest.mark.parametrize(
        ("outcome", "answer"),
        [
            (CheckResult.UNAVAILABLE, Refused(RefusalReason.TEMPORARY)),
            (CheckResult.WRONG, WRONG),
            (CheckResult.RIGHT, WRONG),
            (RhostsUntrusted("/spool/u/yasuhi/.rhosts: can be written by group or others"), WRONG),
        ],
    )
    def test_a_home_that_was_not_read_lets_nobody_in(self, desk: Desk, outcome: CheckOutcome, answer: Refused) -> None:
        admit_rpop(desk)
        desk.rhosts = outcome
        assert desk.ask(self.REQUEST) == answer

    def test_a_file_that_is_not_trusted_is_reported(self, desk: Desk) -> None:
        admit_rpop(desk)
        desk.rhosts = RhostsUntrusted("/spool/u/yasuhi/.rhosts: can be written by group or others")
        desk.ask(self.REQUEST)
        assert desk.reports[0].endswith("refused: /spool/u/yasuhi/.rhosts: can be written by group or others")

    @pytest.mark.parametrize(
        "peer",
        [
            Peer("192.0.2.1", 1024),
            Peer("192.0.2.1", 511),
            Peer("198.51.100.1", 1000),
            Peer("2001:db8::1", 1000),
            Peer("unix", 1000),
        ],
    )
    def test_other_networks_and_ports_are_refused_unread(self, desk: Desk, peer: Peer) -> None:
        admit_rpop(desk)
        assert desk.ask(dataclasses.replace(self.REQUEST, peer=peer)) == WRONG
        assert not desk.checks

    def test_a_mapped_address_is_the_one_it_maps(self, desk: Desk) -> None:
        admit_rpop(desk)
        desk.rhosts = RhostsContent(b"192.0.2.1\n")
        request = RpopRequest(Peer("::ffff:192.0.2.1", 1000), b"yasuhi", b"yasuhi", ())
        assert isinstance(desk.ask(request), Granted)

    @pytest.mark.parametrize("name", [b"root", b"nobody", b"\xff"])
    def test_system_accounts_and_nobody_are_refused_unread(self, desk: Desk, name: bytes) -> None:
        admit_rpop(desk)
        assert desk.ask(dataclasses.replace(self.REQUEST, name=name)) == WRONG
        assert not desk.checks

    def test_without_networks_it_is_off(self, desk: Desk) -> None:
        assert desk.ask(self.REQUEST) == WRONG

    def test_an_address_with_too_many_failures_is_not_checked(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(failures_per_address=1))
        desk.ask(self.REQUEST)
        assert desk.ask(self.REQUEST) == Refused(RefusalReason.THROTTLED, 2.0)


class TestSasl:
    def test_plain_is_a_password_login(self, desk: Desk) -> None:
        assert isinstance(desk.ask(SaslBegin(TLS, 1, "PLAIN", b"\0yasuhi\0pencil")), Granted)
        assert desk.ask(SaslBegin(TLS, 2, "PLAIN", b"\0yasuhi\0pen")) == WRONG

    def test_login_asks_twice(self, desk: Desk) -> None:
        assert desk.ask(SaslBegin(TLS, 1, "LOGIN", None)) == Challenge(b"Username:")
        assert desk.ask(SaslContinue(1, b"yasuhi")) == Challenge(b"Password:")
        assert isinstance(desk.ask(SaslContinue(1, b"pencil")), Granted)
        assert desk.ask(SaslContinue(1, b"pencil")) == Refused(RefusalReason.TEMPORARY)

    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
    def test_no_password_is_asked_for_where_none_may_cross(self, desk: Desk, mechanism: str) -> None:
        assert desk.ask(SaslBegin(PLAIN, 1, mechanism, None)) == WRONG

    @pytest.mark.parametrize("mechanism", ["CRAM-MD5", "EXTERNAL", "SCRAM-SHA-1", ""])
    def test_what_is_not_offered_is_refused(self, desk: Desk, mechanism: str) -> None:
        assert desk.ask(SaslBegin(TLS, 1, mechanism, None)) == WRONG

    def test_scram_proves_a_password_without_a_slow_check(self, desk: Desk) -> None:
        assert isinstance(desk.scram(), Granted)
        assert isinstance(desk.scram(b"Yasuhi@example.org"), Granted)
        assert not desk.checks

    @pytest.mark.parametrize("name", [b"yasuhi", b"own", b"nobody", b"not a name", "ÿ".encode()])
    def test_scram_fails_for_everybody_alike(self, desk: Desk, name: bytes) -> None:
        first = desk.ask(SaslBegin(PLAIN, 1, "SCRAM-SHA-256", b"n,,n=" + name + b",r=x"))
        assert isinstance(first, Challenge)
        assert first.data.endswith(b"==,i=4096")
        assert desk.scram(name, b"pen") == WRONG

    def test_a_refusal_names_whom_the_client_claimed_to_be(self, desk: Desk) -> None:
        desk.ask(SaslBegin(TLS, 1, "PLAIN", b"\0Nobody@example.org\0pen"))
        desk.ask(SaslBegin(TLS, 2, "PLAIN", b"\0not a name\0pen"))
        desk.ask(SaslBegin(TLS, 3, "PLAIN", b"garbage"))
        desk.scram(password=b"pen")
        desk.login(b"root")
        assert desk.refused == ["nobody", None, None, "yasuhi", "root"]

    def test_a_decoys_salt_does_not_change_with_the_spelling(self, desk: Desk) -> None:
        salts = set()
        for number, name in enumerate((b"nobody", b"Nobody", b"nobody@example.org", b"nobody")):
            first = desk.ask(SaslBegin(PLAIN, number, "SCRAM-SHA-256", b"n,,n=" + name + b",r=x"))
            assert isinstance(first, Challenge)
            salts.add(first.data.partition(b",s=")[2])
        assert len(salts) == 1

    def test_scram_of_a_throttled_name_ends_at_once(self, desk: Desk) -> None:
        for number in range(FAILURES_PER_USER):
            desk.scram(password=b"pen", peer=Peer(f"198.51.100.{number}", 1))
        assert desk.scram() == Refused(RefusalReason.THROTTLED, 2.0)
        assert desk.ask(SaslContinue(7, b"")) == Refused(RefusalReason.TEMPORARY)

    def test_an_address_with_too_many_failures_begins_nothing(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(failures_per_address=1))
        desk.scram(password=b"pen")
        assert desk.ask(SaslBegin(PLAIN, 9, "SCRAM-SHA-256", None)) == Refused(RefusalReason.THROTTLED, 2.0)

    def test_a_broken_scram_verifier_is_temporary(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "passwd").write_text("yasuhi:{SCRAM-SHA-256}x\n")
        assert desk.scram() == Refused(RefusalReason.TEMPORARY)

    def test_a_certificate_logs_in_whom_it_stands_for(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "certificates").write_text("email:yasuhi@example.org:yasuhi\nemail:x@example.org:nobody\n")
        (tmp_path / "certificates").chmod(0o644)

        def begin(name: str, peer: Peer = TLS, identity: bytes = b"") -> Decision:
            return desk.ask(SaslBegin(peer, 1, "EXTERNAL", identity, certificate_names=(name,)))

        assert isinstance(begin("email:yasuhi@example.org"), Granted)
        assert begin("email:yasuhi@example.org", identity=b"own") == WRONG
        assert begin("email:yasuhi@example.org", PLAIN) == WRONG
        assert begin("email:x@example.org").reason is RefusalReason.CREDENTIALS  # type: ignore[union-attr]
        assert begin("email:stranger@example.org").reason is RefusalReason.CREDENTIALS  # type: ignore[union-attr]

    def test_a_broken_certificates_file_is_trouble_for_external_alone(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "certificates").write_text("email:yasuhi@example.org:yasuhi\n")
        (tmp_path / "certificates").chmod(0o644)
        desk.authenticator.offer()
        (tmp_path / "certificates").write_text("broken\n")
        assert desk.ask(SaslBegin(TLS, 1, "EXTERNAL", b"")) == WRONG  # no longer offered
        assert isinstance(desk.ask(SaslBegin(TLS, 2, "PLAIN", b"\0yasuhi\0pencil")), Granted)

    def test_an_abandoned_conversation_is_forgotten(self, desk: Desk) -> None:
        desk.ask(SaslBegin(TLS, 1, "LOGIN", None))
        assert desk.ask(SaslAbandon(1)) is None
        assert desk.ask(SaslContinue(1, b"yasuhi")) == Refused(RefusalReason.TEMPORARY)

    def test_a_thousand_abandoned_conversations_leave_nothing(self, desk: Desk) -> None:
        for number in range(1000):
            desk.authenticator.receive(WORKER, SaslBegin(TLS, number, "LOGIN", None), desk.now)
            if number % 2:
                desk.authenticator.receive(WORKER, SaslContinue(number, b"yasuhi"), desk.now)
            desk.authenticator.receive(WORKER, SaslAbandon(number), desk.now)
        assert len(desk.authenticator._conversations) == 0

    def test_a_conversation_belongs_to_its_worker(self, desk: Desk) -> None:
        desk.ask(SaslBegin(TLS, 1, "LOGIN", None))
        assert desk.ask(SaslContinue(1, b"yasuhi"), worker=2) == Refused(RefusalReason.TEMPORARY)
        assert desk.ask(SaslContinue(1, b"yasuhi")) == Challenge(b"Password:")

    def test_a_conversation_too_many_is_temporary(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(desk.authenticator._conversations, "_conversations_max", 1)
        desk.ask(SaslBegin(TLS, 1, "LOGIN", None))
        assert desk.ask(SaslBegin(TLS, 2, "LOGIN", None)) == Refused(RefusalReason.TEMPORARY)

    def test_the_binding_of_the_connection_is_used(self, desk: Desk) -> None:
        binding = ChannelBinding(tls_exporter=b"exported")
        message = b"p=tls-exporter,,n=yasuhi,r=CLIENT"
        step = desk.ask(SaslBegin(TLS, 1, "SCRAM-SHA-256-PLUS", message, binding))
        assert isinstance(step, Challenge)
        final = client_final(step.data, header=b"p=tls-exporter,,exported", bare=b"n=yasuhi,r=CLIENT")
        assert isinstance(desk.ask(SaslContinue(1, final)), Challenge)
        assert isinstance(desk.ask(SaslContinue(1, b"")), Granted)


class TestClients:
    def pending(self, desk: Desk, conversation: int | None = None) -> Pending:
        request: AuthRequest = PasswordRequest(TLS, b"yasuhi", b"pencil")
        if conversation is not None:
            request = SaslBegin(TLS, conversation, "PLAIN", b"\0yasuhi\0pencil")
        decision = desk.authenticator.receive(WORKER, request, desk.now)
        assert isinstance(decision, Pending)
        return decision

    def test_a_token_is_good_once(self, desk: Desk) -> None:
        token = self.pending(desk).token
        assert isinstance(desk.authenticator.finish(token, CheckResult.RIGHT, desk.now), Granted)
        assert desk.authenticator.finish(token, CheckResult.RIGHT, desk.now) is None

    def test_nobody_is_granted_anything_for_a_worker_that_is_gone(self, desk: Desk) -> None:
        desk.open(policy=LoginPolicy(connections_per_user=1))
        token = self.pending(desk).token
        desk.ask(SaslBegin(TLS, 1, "LOGIN", None))
        assert isinstance(desk.login(), Granted)
        desk.authenticator.client_gone(WORKER)
        assert desk.authenticator.finish(token, CheckResult.RIGHT, desk.now) is None
        assert desk.ask(SaslContinue(1, b"yasuhi")) == Refused(RefusalReason.TEMPORARY)
        assert isinstance(desk.login(), Granted)

    def test_an_abandoned_check_is_granted_to_nobody(self, desk: Desk) -> None:
        token, other = self.pending(desk, 1).token, self.pending(desk, 2).token
        desk.ask(SaslAbandon(1))
        assert desk.authenticator.finish(token, CheckResult.RIGHT, desk.now) is None
        assert isinstance(desk.authenticator.finish(other, CheckResult.RIGHT, desk.now), Granted)

    def test_the_time_of_a_check_is_not_in_the_answer(self, desk: Desk) -> None:
        token = self.pending(desk).token
        assert desk.authenticator.finish(token, CheckResult.WRONG, desk.now + 0.75) == Refused(
            RefusalReason.CREDENTIALS, 1.25, UserName("yasuhi")
        )


class TestOffer:
    def test_it_follows_settings_and_files(self, desk: Desk, tmp_path: Path) -> None:
        assert desk.authenticator.offer() == Offer(
            ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"), apop=False
        )
        desk.credentials.apop.set_secret(UserName("yasuhi"), b"tanstaaf")
        (tmp_path / "certificates").write_text("email:yasuhi@example.org:yasuhi\n")
        (tmp_path / "certificates").chmod(0o644)
        assert desk.authenticator.offer().apop
        assert "EXTERNAL" in desk.authenticator.offer().mechanisms

    def test_a_file_that_cannot_be_used_offers_nothing_and_is_reported_once(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "apop").write_text("broken\n")
        (tmp_path / "apop").chmod(0o600)
        for _ in range(3):
            assert not desk.authenticator.offer().apop
        assert len(desk.reports) == 1
        assert "apop: line 1" in desk.reports[0]
        desk.authenticator.offer()
        (tmp_path / "apop").write_text("yasuhi:{PLAIN}tanstaaf\n")
        assert desk.authenticator.offer().apop
        (tmp_path / "apop").write_text("broken\n")
        desk.authenticator.offer()
        assert len(desk.reports) == 2


def test_an_authenticator_needs_no_reporter_and_no_source_of_randomness(tmp_path: Path) -> None:
    authenticator = Authenticator(
        settings=SETTINGS,
        policy=LoginPolicy(),
        directory=FakeDirectory(available=False),
        credentials=Credentials.in_directory(tmp_path),
        service_uid=os.getuid(),
        ticket_key=KEY,
    )
    assert authenticator.receive(1, PasswordRequest(TLS, b"yasuhi", b"x"), 0.0) == Refused(RefusalReason.TEMPORARY)
