"""spool-uidl on a site of many uids: root works with each user's rights, and leaves nothing that is not theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.interop.live_site import LiveSite, open_directory, service_account
from tests.interop.wire import look_at
from tests.root.uids import FIRST_UID, add_users, home_of, new_user

MESSAGE = b"Subject: x\n\ny\n"


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    with open_directory() as directory:
        live = LiveSite(directory, service_account())
        live.init("--set", "workers.count=1", "--set", "auth.schemes=PLAIN")
        add_users(live, [new_user("ann", 60, live), new_user("eve", 61, live)])
        for number, user in enumerate(("ann", "eve"), FIRST_UID + 60):
            new = home_of(live, user) / "Maildir" / "new" / f"1.{user}"
            new.write_bytes(MESSAGE)
            os.chown(new, number, number)
        live.start()
        yield live
        assert live.stop() == 0


@pytest.mark.root
def test_what_root_writes_is_the_users_and_they_can_log_in(site: LiveSite) -> None:
    (home_of(site, "ann") / "Maildir" / "dovecot-uidlist").write_text("3 V5 N2\n1 :1.ann\n")
    site.run("spool-uidl", "import", "--from", "dovecot", "--format", "%v.%u", "--user", "ann")
    home = home_of(site, "ann")
    assert {path.lstat().st_uid for path in home.rglob("*") if path.name != "dovecot-uidlist"} == {FIRST_UID + 60}
    assert list(look_at(site.addresses["pop3"], "ann").unique_ids) == ["5.1"]


@pytest.mark.root
def test_a_list_that_a_user_planted_tells_nothing_that_they_may_not_read(site: LiveSite) -> None:
    secret = site.site / "control" / "passwd"
    uidlist = home_of(site, "eve") / "Maildir" / "courierpop3dsizelist"
    uidlist.symlink_to(secret)
    refused = site.run("spool-uidl", "import", "--from", "courier", "--user", "eve", "--json", ok=(4,))
    assert json.loads(refused.stdout)["users"][0]["trouble"].endswith("Too many levels of symbolic links")
    uidlist.unlink()
    os.link(secret, uidlist)
    refused = site.run("spool-uidl", "import", "--from", "courier", "--user", "eve", "--json", ok=(4,))
    assert json.loads(refused.stdout)["users"][0]["trouble"].endswith("Permission denied")
