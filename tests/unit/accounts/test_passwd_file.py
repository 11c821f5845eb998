from __future__ import annotations

from pathlib import Path

import pytest

from accounts.passwd_file import PasswdFile
from accounts.schemes.errors import VerifierError
from accounts.schemes.scram_keys import keys_of
from accounts.schemes.verifiers import make_verifier
from spool.errors import SettingsError
from spool.names import UserName

YASUHI = UserName("yasuhi")
SCRAM = make_verifier("SCRAM-SHA-256", b"pencil")


def test_what_is_set_is_found(tmp_path: Path) -> None:
    passwd = PasswdFile(tmp_path / "passwd")
    passwd.set_verifiers(YASUHI, ["{PLAIN.b64}cGVuY2ls", SCRAM])
    assert passwd.verifiers(YASUHI) == ("{PLAIN.b64}cGVuY2ls", SCRAM)
    assert passwd.users() == {"yasuhi": ("{PLAIN.b64}cGVuY2ls", SCRAM)}
    assert passwd.remove(YASUHI)
    assert not passwd.remove(YASUHI)
    assert passwd.verifiers(YASUHI) == ()


def test_scram_keys_are_found_among_other_verifiers(tmp_path: Path) -> None:
    passwd = PasswdFile(tmp_path / "passwd")
    passwd.set_verifiers(YASUHI, ["{PLAIN.b64}cGVuY2ls", SCRAM])
    assert passwd.scram_keys(YASUHI, "SCRAM-SHA-256") == keys_of(SCRAM)
    assert passwd.scram_keys(YASUHI, "SCRAM-SHA-1") is None
    assert passwd.scram_keys(UserName("other"), "SCRAM-SHA-256") is None


@pytest.mark.parametrize(
    "verifier", ["secretword", "{CRAM-MD5}secretword", "{SSHA}secretword", "{PLAIN}a\nroot:{PLAIN}b"]
)
def test_a_verifier_that_cannot_be_used_is_not_written(tmp_path: Path, verifier: str) -> None:
    with pytest.raises(SettingsError, match="user yasuhi") as caught:
        PasswdFile(tmp_path / "passwd").set_verifiers(YASUHI, [verifier])
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "passwd").exists()


def test_faults_name_users_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("yasuhi:{NEW}secretword\nother:{PLAIN}x\nthird:secretword\n")
    (tmp_path / "passwd").chmod(0o600)
    passwd = PasswdFile(tmp_path / "passwd")
    faults = passwd.faults()
    assert [fault.partition(": ")[2].partition(":")[0] for fault in faults] == ["user yasuhi", "user third"]
    assert "secretword" not in "".join(faults)
    assert passwd.verifiers(UserName("other")) == ("{PLAIN}x",)
    with pytest.raises(VerifierError):
        passwd.scram_keys(UserName("third"), "SCRAM-SHA-256")
