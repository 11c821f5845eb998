"""Tests of tools.mailspool_config, tools.site_check and tools.site_settings."""

from __future__ import annotations

import os
import pwd
import tomllib
from collections.abc import Callable

import pytest

from serving.privileges import Identity
from spool.site import Site
from tests.unit.tools.conftest import MadeSite
from tools import site_check
from tools.site_settings import read_site_settings


def with_line(site: MadeSite, text: str) -> None:
    site.settings.write_text(site.settings.read_text() + text)


def test_a_new_site_is_in_order(site: MadeSite) -> None:
    checked = site.run("config", "check")
    assert (checked.status, checked.err) == (0, "")
    assert checked.out.endswith("ok\n")


def test_every_setting_is_shown_as_toml_that_can_be_read_again(site: MadeSite) -> None:
    shown = site.run("config", "show").out
    tables = tomllib.loads(shown)
    sections = {"spool", "delivery", "service", "workers", "auth", "limits", "pop3", "lmtp", "log", "rehash"}
    assert set(tables) == sections | {"listener"}
    assert tables["auth"]["cache_seconds"] == 300
    assert tables["pop3"]["busy"] == "refuse"
    site.settings.write_text(shown)
    assert site.run("config", "show").out == shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n[limits]\nconections = 7\n", "limits.conections: unknown key"),
        ("\n[mail]\n", "unknown section [mail]"),
        ("\n[log]\nlevel = 7\n", "log.level: expected text, found 7"),
        ('\n[log]\nformat = "xml"\n', "log.format: expected one of text, json, found 'xml'"),
        ("\n[pop3]\nlast = 1\n", "pop3.last: expected true or false, found 1"),
        ('\n[[listener]]\nprotocol = "pop3"\naddress = "127.0.0.1:0"\n', "two pop3 listeners have 127.0.0.1:0"),
        ('\n[[listener]]\nprotocol = "pop3"\n', "address"),
        ("\n[log\n", "line"),
    ],
)
@pytest.mark.parametrize(
    "command", [("config", "check"), ("config", "show"), ("serve",), ("status",), ("user", "list")]
)
def test_wrong_settings_are_named_and_nothing_is_done(
    site: MadeSite, command: tuple[str, ...], text: str, problem: str
) -> None:
    with_line(site, text)
    refused = site.run(*command)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith(f"mailspool: {site.settings}: ")
    assert problem in refused.err
    assert refused.err.count("\n") == 1


def test_a_missing_site_is_named(site: MadeSite) -> None:
    site.settings.unlink()
    refused = site.run("config", "check")
    assert (refused.status, refused.err) == (1, f"mailspool: {site.settings}: No such file or directory\n")


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("locals", None, "no such file"),
        ("locals", "", "expected a domain, found none"),
        ("locals", "not a domain\n", "line 1"),
        ("passwd", None, "No such file"),
        ("passwd", "fred\n", "line 1"),
        ("domains", "fred\n", "line 1: expected user:domain"),
        ("domains", "fred:elsewhere.example\n", "user fred: elsewhere.example is not in"),
        ("quotas", "fred:much\n", "line 1: expected a limit such as 500M"),
        ("programs", "fred:many:\n", "line 1: expected user:programs:seconds"),
        ("assign", None, "No such file"),
        ("assign", ".\n", "does not say what"),
        ("assign.cdb", None, "run spool-assign compile"),
        ("assign.cdb", "torn", "assign.cdb"),
    ],
)
def test_what_is_wrong_with_a_control_file_is_said_once(
    site: MadeSite, file: str, content: str | None, problem: str
) -> None:
    site.add("fred")
    path = site.control / file
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    checked = site.run("config", "check")
    assert checked.status == 1
    assert "ok" not in checked.out.splitlines()
    lines = checked.err.splitlines()
    assert any(problem in line for line in lines)
    assert len(set(lines)) == len(lines)
    assert all(line.startswith(f"mailspool: {site.control}/") for line in lines)


@pytest.mark.parametrize(
    ("file", "content"), [("locals", None), ("locals", ""), ("passwd", None), ("assign.cdb", None)]
)
def test_nothing_is_served_without_the_files_that_logins_need(site: MadeSite, file: str, content: str | None) -> None:
    path = site.control / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    refused = site.run("serve")
    assert (refused.status, refused.out) == (1, "")
    assert str(path) in refused.err


def test_a_limit_of_nobody_is_remarked(site: MadeSite) -> None:
    site.add("fred")
    (site.control / "quotas").write_text("fred:1G\nformer:1G\n")
    (site.control / "programs").write_text("fred:2:\nearlier:2:\n")
    checked = site.run("config", "check")
    assert checked.status == 0
    assert f"{site.control}/quotas: there is no user former" in checked.out + checked.err
    assert f"{site.control}/programs: there is no user earlier" in checked.out + checked.err
    assert "no user fred" not in checked.out + checked.err


def test_an_owner_of_the_spool_who_is_not_the_service_is_remarked(
    site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_check, "service_identity", lambda _settings: Identity(4711, 4711, ()))
    root = read_site_settings(Site(site.directory)).spool.root
    checked = site.run("config", "check")
    assert checked.status == 0
    assert f"{root}: belongs to uid {root.stat().st_uid}, neither to root nor" in checked.out + checked.err


def test_an_account_that_has_mail_may_not_run_the_programs_of_others(
    site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("fred")
    uid = read_site_settings(Site(site.directory)).spool.root.stat().st_uid
    accounts = {"fred-himself": uid, "nobody-here": uid + 1}
    before = pwd.getpwnam

    def named(name: str) -> pwd.struct_passwd:
        if name not in accounts:
            return before(name)
        return pwd.struct_passwd((name, "*", accounts[name], 4711, "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", named)
    for name in accounts:
        with_line(site, f'\n[delivery]\nprogram_user = "{name}"\n')
        told = f"program_user: {name} is user fred, whose mail others' programs could read"
        assert (told in site.run("config", "check").err) is (name == "fred-himself")
        site.settings.write_text(site.settings.read_text().rpartition("\n[delivery]")[0])


def test_a_socket_without_a_directory_is_an_error(site: MadeSite) -> None:
    with_line(site, f'\n[[listener]]\nprotocol = "lmtp"\naddress = "unix:{site.directory}/none/lmtp"\n')
    checked = site.run("config", "check")
    assert checked.status == 1
    assert f"unix:{site.directory}/none/lmtp: {site.directory}/none: no such directory" in checked.err


@pytest.mark.parametrize(("seconds", "remarked"), [(30, True), (29, False)])
def test_a_smarthost_that_may_take_longer_than_lmtp_waits_is_remarked(
    site: MadeSite, seconds: int, remarked: bool
) -> None:
    with_line(site, f'\n[delivery]\nsmarthost = "192.0.2.1:25"\nsmarthost_seconds = {seconds}\n')
    with_line(site, f'\n[[listener]]\nprotocol = "lmtp"\naddress = "unix:{site.directory}/lmtp"\n')
    checked = site.run("config", "check")
    assert checked.status == 0
    assert ("smarthost_seconds = 30 is not below" in checked.out + checked.err) is remarked


def test_users_without_a_password_are_counted(site: MadeSite) -> None:
    site.add("fred")
    site.run("user", "add", "jane", "--no-password")
    assert "1 of 2 users have no password" in site.run("config", "check").out


def test_users_without_a_verifier_for_scram_are_counted(make: Callable[..., MadeSite]) -> None:
    site = make("--listen", "pop3=127.0.0.1:0", "--set", "auth.schemes=PLAIN")
    site.add("fred")
    with_line(site, "")
    site.settings.write_text(site.settings.read_text().replace('["PLAIN"]', '["PLAIN", "SCRAM-SHA-256"]'))
    assert "1 of 1 users have no verifier for SCRAM-SHA-256" in site.run("config", "check").out


def test_a_site_without_listeners_serves_nothing(make: Callable[..., MadeSite]) -> None:
    refused = make().run("serve")
    assert refused.status == 1
    assert "no [[listener]]" in refused.err


def test_a_key_that_is_another_certificates_is_an_error(site: MadeSite, make: Callable[..., MadeSite]) -> None:
    key = site.directory / "tls" / "key.pem"
    key.write_text("nothing")
    assert f"{key}: expected a private key in PEM form" in site.run("config", "check").err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_an_ordinary_user_serves_only_a_site_of_their_own(site: MadeSite) -> None:
    refused = site.run("serve", "--set", "service.user=daemon")
    assert refused.status == 1
    assert "only root can start the workers as uid" in refused.err
