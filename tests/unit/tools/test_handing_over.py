"""Tests of spool-deliver where the service runs: its launcher, and what the service tells it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.lmtp_client import NobodyThereError, Reply
from delivery.lmtp_socket import LmtpSocket, find_lmtp_socket
from delivery.lmtp_socket_publishing import publish_lmtp_socket
from mta.smtp.replies import Reply as Answer
from mta.smtp.steps import Envelope
from spool.site import DEFAULT_SITE, Site
from tests.unit.delivery.lmtp_service import Delivered, lmtp_service
from tools import deliver_alone, spool_deliver
from tools.lmtp_socket import settings_octets, tell_deliverers
from tools.site_settings import check_site_settings

CHECKOUT = Path(__file__).resolve().parents[3]
LAUNCHER = CHECKOUT / "launchers" / "spool-deliver"
MESSAGE = b"Subject: hello\n\n.how are you\r\nno end"
HEAVY = ("argparse", "tomllib", "dataclasses", "logging", "twisted", "typing", "re", "enum", "pathlib", "socket", "os")
SECONDS = 60


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "site")
    (made.directory / "run").mkdir(parents=True, mode=0o755)
    (made.directory / "control").mkdir()
    made.locals.write_text("example.org\n")
    (tmp_path / "spool").mkdir()
    made.settings_file.write_text(f'[spool]\nroot = "{tmp_path}/spool"\n')
    return made


@pytest.fixture
def service(site: Site, tmp_path: Path) -> Iterator[Delivered]:
    with lmtp_service(tmp_path) as (place, delivered):
        publish_lmtp_socket(site, place, settings_octets(site))
        yield delivered


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The launcher as an installation has it: beside a Python, and packages where Python looks for them."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = tmp_path / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    for package in ("accounts", "delivery", "mta", "popd", "serving", "spool", "tools"):
        (packages / package).symlink_to(CHECKOUT / package)
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (tmp_path / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    (tmp_path / "bin" / "spool-deliver").write_bytes(LAUNCHER.read_bytes())
    (tmp_path / "bin" / "spool-deliver").chmod(0o755)
    return tmp_path / "bin" / "spool-deliver"


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program, *arguments],
        input=MESSAGE,
        capture_output=True,
        check=False,
        timeout=SECONDS,
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_a_message_is_handed_over_and_stays_what_it_is(program: Path, site: Site, service: Delivered) -> None:
    ended = run(program, "--site", str(site.directory), "--sender=a b@c.org", "--", "joe-list@example.org")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert service.mail == [(Envelope("a b@c.org", ("joe-list@example.org",)), MESSAGE)]


def test_the_environment_names_the_site_and_a_link_the_program(
    program: Path, site: Site, service: Delivered, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").symlink_to(program)
    assert run(tmp_path / "elsewhere", "joe", MAILSPOOL_SITE=str(site.directory)).returncode == 0
    assert service.mail == [(Envelope(None, ("joe",)), MESSAGE)]


def test_handing_over_loads_nothing_that_takes_time(site: Site, service: Delivered) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from tools.spool_deliver import main
status = main(["--site", {str(site.directory)!r}, "--exit-codes", "sysexits", "joe"])
print(status, *sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-IS", "-c", code], input=MESSAGE, capture_output=True, check=True, timeout=SECONDS
    )
    status, *modules = ended.stdout.decode().split()
    assert status == "0"
    assert [name for name in HEAVY if name in modules] == []
    assert len(service.mail) == 1


def test_an_installation_that_is_broken_bounces_nothing(program: Path, tmp_path: Path) -> None:
    (tmp_path / "lib").rename(tmp_path / "gone")
    for options, status in (((), 111), (("--exit-codes", "sysexits"), 75), (("--exit-codes=sysexits",), 75)):
        ended = run(program, *options, "joe")
        assert (ended.returncode, ended.stderr) == (status, b"4.3.0 mail system error\n")


def test_without_a_python_mail_waits(program: Path, tmp_path: Path) -> None:
    program.with_name("python3").unlink()
    (tmp_path / "empty").mkdir()
    ended = subprocess.run(
        ["/bin/sh", program, "--exit-codes", "sysexits", "joe"],
        check=False,
        env={"PATH": str(tmp_path / "empty")},
        timeout=SECONDS,
    )
    assert ended.returncode == 75


@pytest.mark.parametrize(
    ("answer", "qmail", "sysexits"),
    [
        (Answer(550, "5.1.1", "no such user"), 100, 67),
        (Answer(550, "5.1.2", "not a local domain"), 100, 67),
        (Answer(553, "5.1.3", "malformed address"), 100, 67),
        (Answer(552, "5.2.2", "mailbox full"), 100, 69),
        (Answer(452, "4.2.2", "mailbox full"), 111, 75),
        (Answer(450, "4.7.1", "not yours"), 111, 75),
        (Answer(354, "2.0.0", "what"), 111, 75),
        (Answer(503, "5.5.1", "not now"), 111, 75),
        (Answer(550, "4.3.0", "what"), 111, 75),
        (Answer(650, "6.1.1", "what"), 111, 75),
    ],
)
def test_what_the_service_says_becomes_an_exit_status(
    site: Site, tmp_path: Path, answer: Answer, qmail: int, sysexits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with lmtp_service(tmp_path, refusal=answer) as (place, _):
        publish_lmtp_socket(site, place, settings_octets(site))
        for dialect, status in (("qmail", qmail), ("sysexits", sysexits)):
            assert spool_deliver.main(["--site", str(site.directory), "--exit-codes", dialect, "joe"]) == status
            assert capsys.readouterr().err == f"{answer.enhanced} {answer.text}\n"


def test_an_answer_without_a_status_is_not_ours_and_temporary(capsys: pytest.CaptureFixture[str]) -> None:
    assert spool_deliver._status(Reply(550, "", "no"), spool_deliver.EXIT_CODES["qmail"]) == 111
    assert capsys.readouterr().err == "4.3.0 no\n"


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), ZeroDivisionError(), KeyboardInterrupt()])
def test_trouble_while_handing_over_is_temporary(
    site: Site,
    service: Delivered,
    trouble: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> Reply:
        raise trouble

    monkeypatch.setattr(spool_deliver, "hand_over", broken)
    assert spool_deliver.main(["--site", str(site.directory), "joe"]) == 111
    assert capsys.readouterr().err == "4.3.0 mail system error\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["joe", "ann"],
        ["--explain", "joe"],
        ["--help"],
        ["--sender", "-x", "joe"],
        ["--sender"],
        ["--exit-codes", "bsd", "joe"],
        ["--exit", "qmail", "joe"],
        ["-joe"],
        ["--site=", "joe"],
    ],
)
def test_any_other_command_line_is_left_to_the_whole_parser(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: str) -> None:
        raise AssertionError

    monkeypatch.setattr(spool_deliver, "find_lmtp_socket", forbidden)
    monkeypatch.setattr(deliver_alone, "main", lambda given: 7 if given is arguments else 0)
    assert spool_deliver.main(arguments) == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ["joe"],
        ["--", "-joe"],
        ["joe", "--sender", "s@x"],
        ["--sender=", "--site", "/a", "joe"],
        ["--sender=-x@y", "--site=/a b", "--exit-codes=sysexits", "--", "joe"],
        ["--site", "/a", "--site", "/b", "--exit-codes", "qmail", "joe@a.org"],
    ],
)
def test_what_is_understood_is_what_the_whole_parser_understands(arguments: list[str]) -> None:
    understood = spool_deliver._understood(arguments)
    assert understood is not None
    options = deliver_alone.command_line(understood.codes).parse_args(arguments)
    assert (understood.site, understood.sender, understood.recipient) == (
        str(options.site),
        options.sender,
        options.user,
    )
    assert understood.codes is spool_deliver.EXIT_CODES[options.exit_codes]


def test_where_nobody_is_the_message_is_delivered_alone(
    site: Site, service: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> Reply:
        raise NobodyThereError

    monkeypatch.setattr(spool_deliver, "hand_over", nobody)
    monkeypatch.setattr(deliver_alone, "main", lambda _: 7)
    assert spool_deliver.main(["--site", str(site.directory), "joe"]) == 7


def test_without_what_finds_packages_it_is_loaded_before_delivering_alone(program: Path, site: Site) -> None:
    ended = run(program, "--site", str(site.directory), "joe")
    assert (ended.returncode, ended.stderr) == (111, b"4.3.0 directory of users not available\n")


def test_an_editable_installation_is_found_in_python_s_own_way(
    program: Path, site: Site, service: Delivered, tmp_path: Path
) -> None:
    (packages,) = (tmp_path / "lib").glob("*/site-packages")
    (packages / "tools").unlink()
    with (packages / "dependencies.pth").open("a") as file:
        file.write(f"{CHECKOUT}\n")
    assert run(program, "--site", str(site.directory), "joe").returncode == 0
    assert len(service.mail) == 1


def test_both_know_the_same_site() -> None:
    assert str(DEFAULT_SITE) == spool_deliver.DEFAULT_SITE


# -- what the service tells -------------------------------------------------------------------------------------------


def told(site: Site, *listeners: tuple[str, str]) -> LmtpSocket | None:
    tables = {
        "spool": {"root": "/x"},
        "listener": [{"protocol": protocol, "address": address} for protocol, address in listeners],
    }
    warnings: list[str] = []
    tell_deliverers(site, check_site_settings(site, tables), settings_octets(site), warnings.append)
    assert warnings == []
    return find_lmtp_socket(str(site.directory))


def test_the_first_local_listener_for_lmtp_is_told(site: Site) -> None:
    place = told(site, ("pop3", "unix:/x/pop3"), ("lmtp", "127.0.0.1:24"), ("lmtp", "unix:/x/a"), ("lmtp", "unix:/x/b"))
    assert place is not None
    assert (place.path, place.uid) == (b"/x/a", os.geteuid())


def test_without_one_nobody_is_told_anything(site: Site) -> None:
    assert told(site, ("lmtp", "unix:/x/a")) is not None
    assert told(site, ("lmtp", "127.0.0.1:24")) is None


def test_a_site_that_has_no_place_for_it_is_served_and_the_operator_told(site: Site) -> None:
    (site.directory / "run").rmdir()
    tables = {"spool": {"root": "/x"}, "listener": [{"protocol": "lmtp", "address": "unix:/x/a"}]}
    warnings: list[str] = []
    tell_deliverers(site, check_site_settings(site, tables), settings_octets(site), warnings.append)
    (warning,) = warnings
    assert warning.startswith("spool-deliver will not hand mail over to this service: ")


def test_settings_that_cannot_be_read_are_somebody_else_s_trouble(tmp_path: Path) -> None:
    assert settings_octets(Site(tmp_path)) == b""
