from __future__ import annotations

from pathlib import Path

import pytest

from spool import durable
from spool.errors import SettingsError, SpoolError
from spool.names import UserName
from spool.quota.limits import Limit
from spool.quota.table import Limits, change_limit
from spool.site import Site

ANN, BOB, JOE = UserName("ann"), UserName("bob"), UserName("joe")
DEFAULT = Limit(1024, None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.control.mkdir()
    return site


def limits(site: Site, text: str | None = None) -> Limits:
    if text is not None:
        site.quotas.write_text(text)
    return Limits(site.quotas, DEFAULT)


def test_a_user_has_the_limit_of_their_line_and_others_the_default(site: Site) -> None:
    table = limits(site, "ann:1M\nbob:,5\n")
    assert [table.of(user) for user in (ANN, BOB, JOE)] == [Limit(1 << 20, None), Limit(None, 5), DEFAULT]


def test_a_line_may_take_the_limit_away(site: Site) -> None:
    assert limits(site, "# of old\nann:none\n").of(ANN) is None


def test_a_name_is_found_only_as_a_whole(site: Site) -> None:
    assert limits(site, "joann:1M\nann-x:2M\n# ann:3M\n x:ann:4M\n").of(ANN) == DEFAULT


def test_the_first_line_of_a_user_counts(site: Site) -> None:
    table = limits(site, "bob:1K\nann:1M\nann:2M\n")
    assert table.of(ANN) == table.all()[ANN] == Limit(1 << 20, None)


def test_white_space_at_the_end_and_a_missing_line_end_do_not_matter(site: Site) -> None:
    assert limits(site, "ann:1M \r\nbob:2K").of(ANN) == Limit(1 << 20, None)
    assert limits(site).of(BOB) == Limit(2048, None)


def test_without_a_file_all_have_the_default(site: Site) -> None:
    assert limits(site).of(ANN) == DEFAULT
    assert limits(site).all() == {}


def test_all_lines_are_told(site: Site) -> None:
    assert limits(site, "# limits\n\nann:1M\nbob:none\n").all() == {ANN: Limit(1 << 20, None), BOB: None}


def test_a_changed_file_is_read_again(site: Site) -> None:
    table = limits(site, "ann:1M\n")
    assert table.of(ANN) == table.of(ANN) == Limit(1 << 20, None)
    site.quotas.write_text("ann:1000000\n")
    assert table.of(ANN) == Limit(1_000_000, None)


def test_a_wrong_line_is_an_error_that_names_it_and_only_its_user_s(site: Site) -> None:
    table = limits(site, "bob:1K\nann:much\n")
    with pytest.raises(SettingsError, match=r"quotas: line 2: expected a limit"):
        table.of(ANN)
    assert table.of(BOB) == Limit(1024, None)
    with pytest.raises(SettingsError, match="line 2"):
        table.all()


@pytest.mark.parametrize("line", ["no colon", "Ann:1M", ":1M", "annä:1M"])
def test_a_line_without_a_user_is_an_error(site: Site, line: str) -> None:
    with pytest.raises(SettingsError, match="line 1: expected user:limit"):
        limits(site, f"{line}\n").all()


def test_a_file_that_cannot_be_read_is_an_error(site: Site) -> None:
    site.quotas.mkdir()
    with pytest.raises(SettingsError, match="quotas: Is a directory"):
        limits(site).of(ANN)


def test_a_limit_is_set_changed_and_taken_out(site: Site) -> None:
    change_limit(site, ANN, "1M")
    change_limit(site, BOB, "2M")
    change_limit(site, ANN, "3M,5")
    assert site.quotas.read_text() == "bob:2M\nann:3M,5\n"
    change_limit(site, BOB, None)
    assert site.quotas.read_text() == "ann:3M,5\n"


def test_comments_and_a_last_line_without_its_end_stay(site: Site) -> None:
    site.quotas.write_text("# limits\nbob:1K")
    change_limit(site, ANN, "1M")
    assert site.quotas.read_text() == "# limits\nbob:1K\nann:1M\n"


def test_a_dry_run_checks_the_limit_and_writes_nothing(site: Site) -> None:
    change_limit(site, ANN, "1M", dry_run=True)
    assert not site.quotas.exists()
    with pytest.raises(SettingsError):
        change_limit(site, ANN, "much", dry_run=True)


def test_the_file_keeps_its_mode(site: Site) -> None:
    change_limit(site, ANN, "1M")
    assert site.quotas.stat().st_mode & 0o777 == 0o644
    site.quotas.chmod(0o640)
    change_limit(site, ANN, "2M")
    assert site.quotas.stat().st_mode & 0o777 == 0o640


def test_what_is_no_limit_is_not_written(site: Site) -> None:
    with pytest.raises(SettingsError, match="expected a limit"):
        change_limit(site, ANN, "much")
    assert not site.quotas.exists()


def test_changes_take_turns_with_those_of_the_roster(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    locked: list[int] = []
    monkeypatch.setattr("spool.quota.table.fcntl.flock", lambda descriptor, how: locked.append(descriptor))
    opened = durable.open_for_update
    paths: dict[int, Path] = {}

    def open_for_update(path: Path, *, create_mode: int | None = None) -> int:
        descriptor = opened(path, create_mode=create_mode)
        paths[descriptor] = path
        return descriptor

    monkeypatch.setattr(durable, "open_for_update", open_for_update)
    change_limit(site, ANN, "1M")
    assert [paths[descriptor] for descriptor in locked] == [site.assign_lock]


def test_a_file_that_cannot_be_written_is_an_error_of_ours(site: Site) -> None:
    site.quotas.mkdir()
    with pytest.raises(SpoolError):
        change_limit(site, ANN, "1M")
