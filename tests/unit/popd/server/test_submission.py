"""Tests of popd.server.submission; the commands are small shell scripts."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater

from popd.pop3.steps import SessionPolicy
from popd.server import submission
from popd.server.settings import Pop3Settings
from popd.server.submission import HourlyAllowance, SendmailCommand, SubmissionError
from spool.names import UserName
from tests.unit.popd.server.fakes import FRED, Client, in_reactor

FRED_NAME = UserName("fred")
reactor = cast("Any", global_reactor)


def command(script: str, *arguments: str, clock: Clock | None = None) -> SendmailCommand:
    return SendmailCommand(("/bin/sh", "-c", script, *arguments), "example.org", reactor, clock or reactor)


async def failure_of(submitted: Deferred[None]) -> BaseException:
    try:
        await submitted
    except (SubmissionError, CancelledError) as error:
        return error
    raise AssertionError("it was taken")


@in_reactor
async def test_the_command_gets_the_message_and_our_sender(tmp_path: Path) -> None:
    script = f'cat > {tmp_path}/message; printf "%s\\n" "$@" > {tmp_path}/arguments'
    await command(script, "sendmail", "-t", "-i").submit(FRED_NAME, b"To: a@b\n\n.\n$(reboot)\n")
    assert (tmp_path / "message").read_bytes() == b"To: a@b\n\n.\n$(reboot)\n"
    assert (tmp_path / "arguments").read_text().split() == ["-t", "-i", "-f", "fred@example.org"]


@in_reactor
async def test_a_message_larger_than_a_pipe_arrives_whole(tmp_path: Path) -> None:
    await command(f"cat > {tmp_path}/message").submit(FRED_NAME, b"x" * 1_000_000)
    assert (tmp_path / "message").stat().st_size == 1_000_000


@in_reactor
async def test_a_command_may_leave_its_input_unread() -> None:
    await command("exit 0").submit(FRED_NAME, b"x" * 1_000_000)


@in_reactor
async def test_what_the_command_will_never_take_is_permanent() -> None:
    error = await failure_of(command(f"exit {os.EX_NOUSER}").submit(FRED_NAME, b""))
    assert isinstance(error, SubmissionError)
    assert error.permanent


@pytest.mark.parametrize(("script", "text"), [(f"exit {os.EX_TEMPFAIL}", "exit status 75"), ("kill -9 $$", "signal 9")])
@in_reactor
async def test_other_ends_are_temporary(script: str, text: str) -> None:
    error = await failure_of(command(script).submit(FRED_NAME, b""))
    assert isinstance(error, SubmissionError)
    assert not error.permanent
    assert text in str(error)


@in_reactor
async def test_a_command_that_is_not_there_is_temporary() -> None:
    missing = SendmailCommand(("/nowhere/sendmail",), "example.org", reactor, reactor)
    error = await failure_of(missing.submit(FRED_NAME, b""))
    assert str(error) == "/nowhere/sendmail: No such file or directory"


def runs_in(group: int) -> bool:
    """Whether a process of the group still runs; whoever inherits its dead may bury them late."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, process_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(process_group) == group and state not in "ZX":
                return True
    return False


async def gone(group: int) -> None:
    """Wait until nothing of a process group runs."""
    for _ in range(500):
        if not runs_in(group):
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("still there")


async def group_of(path: Path) -> int:
    """Wait for the process to write its number."""
    while not path.exists() or not path.read_text().endswith("\n"):
        await deferLater(reactor, 0.01)
    return int(path.read_text())


@in_reactor
async def test_a_command_that_takes_too_long_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    clock = Clock()
    submitted = command(f"sleep 60 & echo $$ > {tmp_path}/pid; wait", clock=clock).submit(FRED_NAME, b"")
    group = await group_of(tmp_path / "pid")
    clock.advance(submission.SUBMISSION_SECONDS)
    error = await failure_of(submitted)
    assert "not done within 60 seconds" in str(error)
    await gone(group)
    while clock.getDelayedCalls():  # until it is noticed that KILL is not needed
        await deferLater(reactor, 0.01)


@in_reactor
async def test_a_command_deaf_to_term_is_killed(tmp_path: Path) -> None:
    clock = Clock()
    submitted = command(f"trap '' TERM; echo $$ > {tmp_path}/pid; sleep 60", clock=clock).submit(FRED_NAME, b"")
    group = await group_of(tmp_path / "pid")
    clock.advance(submission.SUBMISSION_SECONDS)
    await failure_of(submitted)
    assert runs_in(group)
    clock.advance(submission.TERM_SECONDS)
    await gone(group)


@in_reactor
async def test_cancelling_stops_the_command(tmp_path: Path) -> None:
    submitted = command(f"echo $$ > {tmp_path}/pid; sleep 60").submit(FRED_NAME, b"")
    group = await group_of(tmp_path / "pid")
    submitted.cancel()
    assert isinstance(await failure_of(submitted), CancelledError)
    await gone(group)


def test_the_hourly_allowance_counts_each_user_apart() -> None:
    clock = Clock()
    allowance = HourlyAllowance(2, clock)
    other = UserName("other")
    assert [allowance.take(FRED_NAME) for _ in range(3)] == [True, True, False]
    assert allowance.take(other)
    clock.advance(1800)
    assert allowance.take(other)
    clock.advance(1800)
    assert allowance.take(FRED_NAME)
    assert [allowance.take(other) for _ in range(2)] == [True, False]


# -- seen from the wire


@pytest.fixture
def client() -> Client:
    settings = Pop3Settings(xtnd_xmit=("/usr/sbin/sendmail", "-t", "-i"), xtnd_xmit_messages_per_hour=2)
    return Client(settings=settings, policy=SessionPolicy(xmit=True, user_cleartext=True)).log_in()


def test_xmit_hands_over_the_message_unstuffed(client: Client) -> None:
    client.say(b"XTND XMIT")
    assert client.say(b"To: a@b", b"", b"..dot", b".").startswith(b"+OK")
    assert client.submitter.submitted == [(FRED.user, b"To: a@b\n\n.dot\n")]


@pytest.mark.parametrize(
    ("permanent", "reply"),
    [
        (True, b"-ERR the mail system refused the message\r\n"),
        (False, b"-ERR [SYS/TEMP] cannot send the message now, try again later\r\n"),
    ],
)
def test_xmit_says_whether_trying_again_is_of_use(client: Client, permanent: bool, reply: bytes) -> None:
    client.submitter.error = SubmissionError("ended with exit status 1", permanent=permanent)
    client.say(b"XTND XMIT")
    assert client.say(b"To: a@b", b".") == reply
    assert client.log_lines()[-1].endswith("octets=8 outcome=ended with exit status 1")


def test_xmit_is_limited_by_the_hour(client: Client) -> None:
    for _ in range(2):
        client.say(b"XTND XMIT")
        assert client.say(b"To: a@b", b".").startswith(b"+OK")
    client.say(b"XTND XMIT")
    assert client.say(b"To: a@b", b".") == b"-ERR [SYS/TEMP] too many messages sent, try again later\r\n"
